#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// The fields in which two configs differ, in words: "learning_rate.lr: 0.001 -> 0.01". Ignores `threads`, because
/// results do not depend on it.
std::vector<std::string> Differences(proto::Config stored, proto::Config given);
/// The first of these differences; nullopt if there is none.
std::optional<std::string> FirstDifference(proto::Config stored, proto::Config given);
/// The fields by which the models of two configs are other functions of their weights. Dropout and initial values make
/// no difference.
std::vector<std::string> ModelDifferences(const proto::Config& stored, const proto::Config& given);

}  // namespace twofour::train
