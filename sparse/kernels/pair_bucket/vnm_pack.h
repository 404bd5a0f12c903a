#pragma once

// Copies the tiles of a V:N:M weight into steps, as pair_bucket_pack.h does with tiles that lie side by side.

#include <algorithm>
#include <cstdint>

#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// The tiles of one strip within one block of the stream: four rows of the weight, in the columns that their block
/// keeps. For W they follow each other along the groups, for W transposed down the rows.
struct VnmTileRange {
  bool forward;           ///< Of W.
  const TileMask* tiles;  ///< The first tile. From one to the next it is `tile_stride`, and there are `count`.
  int64_t tile_stride, count;
  const VnmColumns::Four* columns;  ///< Of the first tile.
  const float* weight;              ///< The rows of the first tile, from column 0 on.
  int64_t ld;                       ///< Columns of the weight.
  int64_t group, m;                 ///< The group of the first tile, and the columns of a group.
  /// Where the block begins, and where the rows of the first tile begin within the block: the columns of the stream's
  /// matrix are columns of W, or rows.
  int64_t block_begin, row;
  int64_t column_bytes;  ///< That a column of a panel takes.
};

/// Writes the steps of a range, from `steps` on. `spread` says how many steps there is room for in each bucket. `plan`
/// is for columns of one byte, so that its offsets are numbers of columns. All writers give the same bits.
using VnmStepWriter = void (*)(const PackPlan& plan, const VnmTileRange& range, StepCounts spread,
                               const PairBucketSteps& steps);

/// Writes the steps of a tile of any mask: see PackPlan::WriteAnyTile. `offsets` are those of the tile's columns.
StepCounts WriteAnyVnmTile(const PackPlan& plan, TileMask tile, const float* weight, int64_t ld,
                           const VnmColumns::Four& columns, const uint16_t (&offsets)[kTileSize], StepCounts next,
                           const PairBucketSteps& steps);
/// Where the columns of a tile are in a panel: `columns` of W, or the rows from `row` of the block on.
inline void SetVnmOffsets(const VnmTileRange& range, const VnmColumns::Four& columns, int64_t row,
                          uint16_t (&offsets)[kTileSize]) {
  for (int64_t k = 0; k < kTileSize; ++k) {
    const int64_t in_block = range.forward ? std::max<int64_t>(columns[k] - range.block_begin, 0) : row + k;
    offsets[k] = static_cast<uint16_t>(in_block * range.column_bytes);
  }
}

/// The reference, which copies one weight after the other.
void WriteVnmSteps(const PackPlan& plan, const VnmTileRange& range, StepCounts spread, const PairBucketSteps& steps);
/// The fastest writer for an instruction set.
VnmStepWriter VnmStepWriterFor(Isa isa);

}  // namespace twofour::sparse
