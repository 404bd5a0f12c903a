#pragma once

// Passes over the tile masks of a matrix and over its elements, for the thread that calls them. `tiles` are the masks
// of one row of tiles and the elements those of its four rows, `cols` apart (a multiple of 4).
#include <cstdint>

#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// masked = weight where kept, 0 elsewhere; `masked` may be `weight`.
void ApplyTiles(const TileMask* tiles, int64_t cols, const float* weight, float* masked);

/// The same for the whole of a matrix [mask.rows, mask.cols], by all threads.
void ApplyMask(const float* weight, const MaskView& mask, float* masked);

/// sum += factor * weight where dropped, the product rounded before it is added; `sum` may be `weight`.
void AddDroppedOfTiles(const TileMask* tiles, int64_t cols, float factor, const float* weight, float* sum);

/// kept = 1 where kept, 0 elsewhere.
void ExpandTiles(const TileMask* tiles, int64_t cols, uint8_t* kept);

struct MagnitudeSums {
  double kept = 0, all = 0;
};
/// Sums of |w|, the same bits on every instruction set: columns c, c + 16, c + 32, ... make a sum each, group by group
/// of 16 columns and row by row in a group; then the sixteen sums are added up in order.
MagnitudeSums SumMagnitudes(const TileMask* tiles, int64_t cols, const float* weight);

/// sums[t] = the sum of |w| over what tile t drops, entry by entry along its rows: the same bits on every instruction
/// set.
void SumDroppedMagnitudes(const TileMask* tiles, int64_t cols, const float* weight, double* sums);

/// How many entries of `count` tiles are kept.
int64_t CountKept(const TileMask* tiles, int64_t count);
/// In how many entries of `count` tiles they differ.
int64_t CountDifferences(const TileMask* before, const TileMask* after, int64_t count);

/// The number of the first of `count` tiles that is not IsTwoOfFour; -1 where all are.
int64_t FindAboveTwoOfFour(const TileMask* tiles, int64_t count);

}  // namespace twofour::sparse
