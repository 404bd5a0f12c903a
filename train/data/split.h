#pragma once

#include <cstdint>
#include <vector>

namespace twofour::train {

struct SplitIndices {
  std::vector<int64_t> train;
  std::vector<int64_t> eval;
};

/// Divides 0 to size-1 at random into round(size * eval_fraction) samples to evaluate and the rest to train on. Both
/// are in random order, because files are often sorted by class, and a run without shuffling should not see that order.
/// Only the seed decides the order. Throws Error when the fraction lies outside (0, 1) or a part would be empty.
SplitIndices SplitByFraction(int64_t size, double eval_fraction, uint64_t seed);

}  // namespace twofour::train
