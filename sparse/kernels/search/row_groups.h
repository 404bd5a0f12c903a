#pragma once

// Passes over rows in groups of `of` neighbours, on the calling thread. Elements and tiles lie as in mask_passes.h.
// `cols` is also a multiple of `of`, and `of` is in [1, kMostInGroup].
#include <cstdint>

#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// The entries of a group are the bits of one word.
inline constexpr int kMostInGroup = 32;

/// Writes the tiles that keep the `keep` largest |w| of each group; of equal ones the first are kept. `keep` is in [1,
/// of]. The weights must be finite, or it is not defined which entries are kept.
void KeepLargestOfGroups(const float* weight, int64_t cols, int keep, int of, TileMask* tiles);

/// Where w is kept, out is w moved towards zero by the largest |w| that its group drops, but not past zero. Elsewhere
/// out is 0. A NaN that is dropped does not count. `out` must not overlap `weight`.
void ShrinkKeptOfGroups(const TileMask* tiles, int64_t cols, int of, const float* weight, float* out);

}  // namespace twofour::sparse
