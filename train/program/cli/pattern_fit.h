#pragma once

#include <cstdint>
#include <string>

#include "twofour/sparse/pruning_pattern.h"

namespace twofour::train {

/// Says in words why a weight [out_features, in_features] cannot be trained under a valid pattern, or would lose none
/// or other than the pattern's share of it, because it is smaller than one group or block; nothing if it fits. Sizes
/// that leave a shorter group at the edge fit.
std::string WhyShapeDoesNotFit(const sparse::PruningPattern& pattern, int64_t out_features, int64_t in_features);

}  // namespace twofour::train
