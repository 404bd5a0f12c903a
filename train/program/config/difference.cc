#include "twofour/train/program/config/difference.h"

#include <google/protobuf/util/message_differencer.h>

#include <sstream>
#include <string_view>
#include <utility>

namespace twofour::train {

std::vector<std::string> Differences(proto::Config stored, proto::Config given) {
  given.clear_threads();
  stored.clear_threads();
  std::string report;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  std::vector<std::string> differences;
  if (differencer.Compare(stored, given)) return differences;
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kModified = "modified: ";  // The arrow in the line says this already.
    differences.push_back(line.starts_with(kModified) ? line.substr(kModified.size()) : line);
  }
  return differences;
}

std::optional<std::string> FirstDifference(proto::Config stored, proto::Config given) {
  std::vector<std::string> differences = Differences(std::move(stored), std::move(given));
  if (differences.empty()) return std::nullopt;
  return std::move(differences.front());
}

}  // namespace twofour::train
