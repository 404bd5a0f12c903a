#pragma once

#include "config.pb.h"

namespace twofour::train {

/// Throws Error with a line for every value that the config alone shows to be wrong: "config: path: value, expected
/// what". Checks that need the data (a batch must not be larger than the data set) come later, when the data is loaded.
void ValidateConfig(const proto::Config& config);
/// The same for a config that was made from `stored`, such as that of a run which goes on or is retrained. Fields
/// without an effect that `stored` has, too, are accepted, because earlier versions accepted them.
void ValidateConfig(const proto::Config& config, const proto::Config& stored);

}  // namespace twofour::train
