#include "twofour/train/config/difference.h"

#include <google/protobuf/util/message_differencer.h>

namespace twofour::train {

std::optional<std::string> FirstDifference(proto::Config stored, proto::Config given) {
  given.clear_threads();
  stored.clear_threads();
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  if (differencer.Compare(stored, given)) return std::nullopt;
  return difference.substr(0, difference.find('\n'));
}

}  // namespace twofour::train
