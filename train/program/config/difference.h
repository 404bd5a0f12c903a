#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// The fields in which two configs differ, in words ("learning_rate.lr: 0.001 -> 0.01"), none where they make the same
/// run: threads, on which no result depends, may differ.
std::vector<std::string> Differences(proto::Config stored, proto::Config given);
/// The first field in which two configs differ, as it is called there, or nothing.
std::optional<std::string> FirstDifference(proto::Config stored, proto::Config given);

}  // namespace twofour::train
