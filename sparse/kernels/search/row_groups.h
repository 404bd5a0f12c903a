#pragma once

// Passes over rows in groups of `of` neighbours, for the thread that calls them. Elements and tiles lie as in
// mask_passes.h; `cols` is a multiple of `of` as well, and `of` is in [1, kMostInGroup].
#include <cstdint>

#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// A group's entries are bits of one word.
inline constexpr int kMostInGroup = 32;

/// Writes the tiles that keep the `keep` largest |w| of each group; of equal ones the first. `keep` is in [1, of], and
/// the weights are finite (of others, some entries are kept).
void KeepLargestOfGroups(const float* weight, int64_t cols, int keep, int of, TileMask* tiles);

/// out = w moved towards zero by the largest |w| that its group drops, at most to zero, where kept; 0 elsewhere. A NaN
/// that is dropped counts for nothing. `out` does not overlap `weight`.
void ShrinkKeptOfGroups(const TileMask* tiles, int64_t cols, int of, const float* weight, float* out);

}  // namespace twofour::sparse
