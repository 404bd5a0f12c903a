#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// Which tiles of a weight are pruned first.
enum class TileOrder {
  kLeastLoss,  ///< Those whose mask drops the smallest sum of |w|; of equal ones the first, row by row.
  kRandom,     ///< Random, by the key alone. A tile that is pruned at one share is also pruned at every larger one.
};

/// "least_loss", "random".
std::string_view NameOf(TileOrder order);

/// `share` of `tiles`, rounded to the nearest.
int64_t CountOfShare(double share, int64_t tiles);

/// In a mask of f32 `weight`, leaves the first CountOfShare(share) tiles of the order as they are, and lets all other
/// tiles keep everything. Only kRandom uses `key`. Throws Error unless share is in [0, 1] and the shapes agree.
void KeepOtherTilesWhole(const Tensor& weight, double share, TileOrder order, const RandomKey& key, Mask& mask);

}  // namespace twofour::sparse
