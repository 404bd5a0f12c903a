#pragma once

#include "config.pb.h"

namespace twofour::train {

/// Throws Error with a line for every value that the config alone shows to be wrong: "config: path: value, expected
/// what". Checks that need the data (a batch must not be larger than the data set) come later, when the data is loaded.
void ValidateConfig(const proto::Config& config);

}  // namespace twofour::train
