#include "twofour/core/note_fault.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace twofour {

void ThrowFaults(const std::vector<std::string>& faults) {
  if (!faults.empty()) throw Error(fmt::format("{}", fmt::join(faults, "\n")));
}

}  // namespace twofour
