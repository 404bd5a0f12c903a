#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace twofour::train {

/// Cuts items into buckets that are sent at once, in their order. A bucket ends with the item that fills it: with which
/// it has at least `full` of whatever `sizes` are in. sizes[i] is the size of item i.
std::vector<std::vector<size_t>> BucketsOf(const std::vector<size_t>& items, const std::vector<int64_t>& sizes,
                                           int64_t full);

}  // namespace twofour::train
