#pragma once

#include "config.pb.h"

namespace twofour::train {

/// Throws Error with a line "config: path: value, what was expected" for every value that makes no sense by itself.
/// What needs the data to judge (a batch larger than the data set) is judged when the data is there.
void ValidateConfig(const proto::Config& config);

}  // namespace twofour::train
