#pragma once

// Passes over the tile masks of a matrix and over its elements, on the calling thread. `tiles` are the masks of one row
// of tiles. The elements are those of its four rows, which are `cols` apart (a multiple of 4).
#include <cstdint>

#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// masked = weight where it is kept, and 0 elsewhere. `masked` may be `weight`.
void ApplyTiles(const TileMask* tiles, int64_t cols, const float* weight, float* masked);

/// The same for a whole matrix [mask.rows, mask.cols], on all threads.
void ApplyMask(const float* weight, const MaskView& mask, float* masked);

/// sum += factor * weight where the mask drops. The product is rounded before it is added. `sum` may be `weight`.
void AddDroppedOfTiles(const TileMask* tiles, int64_t cols, float factor, const float* weight, float* sum);

/// kept = 1 where the mask keeps, and 0 elsewhere.
void ExpandTiles(const TileMask* tiles, int64_t cols, uint8_t* kept);

struct MagnitudeSums {
  double kept = 0, all = 0;
};
/// The sums of |w|, with the same bits on every instruction set. Columns c, c + 16, c + 32, ... have a sum of their
/// own, which goes from group to group of 16 columns, and row by row within a group. Then the sixteen sums are added up
/// in order.
MagnitudeSums SumMagnitudes(const TileMask* tiles, int64_t cols, const float* weight);

/// sums[t] = the sum of |w| over what tile t drops. Entries are added one by one along the rows of the tile, so all
/// instruction sets give the same bits.
void SumDroppedMagnitudes(const TileMask* tiles, int64_t cols, const float* weight, double* sums);

/// How many entries `count` tiles keep.
int64_t CountKept(const TileMask* tiles, int64_t count);
/// In how many entries `count` tiles differ from as many others.
int64_t CountDifferences(const TileMask* before, const TileMask* after, int64_t count);

/// The number of the first of `count` tiles that is not IsTwoOfFour, or -1 if all are.
int64_t FindAboveTwoOfFour(const TileMask* tiles, int64_t count);

}  // namespace twofour::sparse
