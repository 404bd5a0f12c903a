#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// Which tiles of a weight are pruned first.
enum class TileOrder {
  kLeastLoss,  ///< Those whose mask drops the smallest sum of |w|; of equals the first, row by row.
  kRandom,     ///< At random, by the key alone: what is pruned at one share is pruned at every larger one.
};

/// "least_loss", "random".
std::string_view NameOf(TileOrder order);

/// `share` of `tiles`, rounded to the nearest.
int64_t CountOfShare(double share, int64_t tiles);

/// Of a mask of f32 `weight`, leaves the tiles that are pruned first as they are, CountOfShare(share) of them, and lets
/// all others keep everything. `key` is heeded by kRandom. Throws Error unless share is in [0, 1] and the shapes agree.
void KeepOtherTilesWhole(const Tensor& weight, double share, TileOrder order, const RandomKey& key, Mask& mask);

}  // namespace twofour::sparse
