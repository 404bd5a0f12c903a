#pragma once

#include <cstdint>
#include <memory>

#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// The pattern by which the tiles of a mask are found. Every 2:4 mask is 4:2:4.
inline VnmPattern TilePattern(const MaskView& mask) {
  return mask.vnm.v > 0 ? mask.vnm : VnmPattern{.v = kTileSize, .m = kTileSize};
}

/// The tiles of a V:N:M weight: four rows, and the four columns that their block keeps. For W, a strip is four rows as
/// ever, and the offsets name the columns. For W transposed, the columns that a block keeps are rows of the result.
/// They are other ones for each block of V rows, so that a strip is one block of the weight, and its four rows are
/// named: strip (i, g) of a block of the stream is row block RowBlock(block, i) and group g.
class VnmTiles final : public StepSource {
 public:
  /// How many columns of the stream's matrix a block takes, at most `most`.
  static int64_t BlockCols(const MaskView& mask, Direction direction, int64_t most);
  /// `mask` has the pattern TilePattern(mask), with transposable tiles. Counts the steps, on all threads. A column of a
  /// panel takes `column_bytes`.
  VnmTiles(const float* weight, const MaskView& mask, Direction direction, int64_t block_cols, int64_t column_bytes);
  void Write(int64_t i, StepCounts spread, Isa isa, const PairBucketSteps& steps) const override;

  const VnmColumns& columns() const { return columns_; }

 private:
  /// The tiles of a strip within a block: of which rows of tiles of the weight, and of which groups.
  struct Range {
    int64_t row_block, tile_row, tile_rows, group, groups;
  };
  Range RangeOf(int64_t i) const;

  const float* weight_;
  MaskView mask_;
  VnmPattern pattern_;
  Direction direction_;
  int64_t block_cols_, column_bytes_;
  VnmColumns columns_;
  std::unique_ptr<TileMask[]> tiles_;  // Of every row of tiles, the entries in the four columns of each group.
  const PackPlan& plan_;               // For columns of one byte, so that its offsets are numbers of columns.
};

}  // namespace twofour::sparse
