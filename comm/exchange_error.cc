#include "twofour/comm/exchange_error.h"

#include <fmt/format.h>

namespace twofour::comm {

Error WrongSizeError(const std::string& rank, bool at_least, size_t sent, size_t expected) {
  return Error(fmt::format("{} sent {}{} bytes, expected {}", rank, at_least ? "at least " : "", sent, expected),
               ErrorKind::kRuntimeFailure);
}

Error NoAnswerError(const std::string& rank, double seconds, const std::string& where_set) {
  return Error(fmt::format("{} has not answered for {:g} seconds; {} sets how long to wait", rank, seconds, where_set),
               ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::comm
