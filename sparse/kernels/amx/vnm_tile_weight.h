#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/half.h"
#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// A V:N:M weight W for processors that multiply tiles of bf16 (AMX). What a block of v rows keeps in its four columns
/// of each group is a dense matrix [v, 4 * groups], zeros of the inner pattern included: m/4 times as small as the
/// block. Each weight is rounded to bf16, to nearest even.
///
/// A tile is [16 rows of the product's matrix][32 entries of its depth]. Where a block has less, zeros fill it.
///   kForward: the rows are rows of W, the depth the columns that a block keeps: eight groups a tile.
///   kInputGrad: the rows are the columns that a block keeps: four groups a tile. The depth is rows of W.
///
/// The depth is cut into *slices*, the same for all rows. A slice consists of groups (kForward) or of blocks
/// (kInputGrad).
class VnmTileWeight final : public PackedWeight {
 public:
  static constexpr PackedLayout kLayout = PackedLayout::kVnmTiles;
  static constexpr int64_t kRows = 16, kDepth = 32;
  static constexpr int64_t kElements = kRows * kDepth;
  /// Groups whose columns are the depth of one tile.
  static constexpr int64_t kGroups = kDepth / VnmPattern::kColumns;
  /// Tiles along the depth of a slice, at most. Two tiles of activations for each of these take 24 KiB, which is half
  /// of the first-level cache of processors with AMX.
  static constexpr int64_t kSliceTiles = 12;
  /// Batch rows of a panel of activations, [columns of a slice and one of zeros][kBatch].
  static constexpr int64_t kBatch = 32;

  /// Makes room for a weight with this mask. A mask that has no V:N:M pattern is packed as one whose blocks keep all
  /// columns.
  VnmTileWeight(const MaskView& mask, Direction direction, Isa isa);

  size_t bytes() const override { return tiles_.bytes() + offsets_.bytes() + columns_.bytes(); }
  Direction direction() const { return direction_; }
  /// Of the product's matrix: W, or W transposed.
  int64_t rows() const { return direction_ == Direction::kForward ? w_rows_ : w_cols_; }
  int64_t cols() const { return direction_ == Direction::kForward ? w_cols_ : w_rows_; }
  const VnmColumns& columns() const { return columns_; }

  int64_t slices() const { return CeilDiv(depth(), slice_); }
  /// The columns of the product's matrix that a slice covers. The last may cover fewer.
  int64_t slice_cols() const { return slice_ * (direction_ == Direction::kForward ? columns_.m() : columns_.v()); }
  /// The first group or block of a slice, and how many it has.
  int64_t first(int64_t slice) const { return slice * slice_; }
  int64_t count(int64_t slice) const { return std::min(slice_, depth() - first(slice)); }

  /// A matrix of tiles [row_tiles][depth_tiles], each [kRows][kDepth].
  struct Part {
    int64_t row_block, group;  ///< The block of W that it holds, from this group on.
    int64_t row_tiles, depth_tiles;
    int64_t offset;  ///< Of the first tile.
  };
  /// kForward: what a block keeps in the groups of a slice.
  Part ForwardPart(int64_t slice, int64_t row_block) const;
  /// kForward: where the kept columns of a part are in a panel, in elements. What fills up the last tile are zeros.
  const uint32_t* offsets(const Part& part) const {
    return offsets_.data() + (part.group * columns_.row_blocks() + part.row_block * part.depth_tiles * kGroups) * 4;
  }
  /// kInputGrad: what the block number `i` of a slice keeps in kGroups groups, two tiles of rows. Parts of the same
  /// groups follow each other.
  Part InputGradPart(int64_t slice, int64_t groups, int64_t i) const;
  int64_t group_ranges() const { return CeilDiv(columns_.groups(), kGroups); }
  /// kInputGrad: tiles along the depth of one block.
  int64_t block_tiles() const { return CeilDiv(block_rows(), kDepth); }
  /// kForward: rows of the tiles of one block, along its rows.
  int64_t padded_rows() const { return RoundUp(block_rows(), kRows); }

  const BFloat16* tiles(const Part& part) const { return tiles_.data() + part.offset * kElements; }
  BFloat16* tiles(const Part& part) { return tiles_.data() + part.offset * kElements; }

 private:
  int64_t block_rows() const { return std::min(columns_.v(), w_rows_); }
  /// Of the whole product, as slices count it.
  int64_t depth() const { return direction_ == Direction::kForward ? columns_.groups() : columns_.row_blocks(); }
  int64_t TileCount() const;
  int64_t OffsetCount() const;
  void SetOffsets();

  int64_t w_rows_, w_cols_;
  Direction direction_;
  VnmColumns columns_;
  int64_t slice_;
  AlignedBuffer<uint32_t> offsets_;
  AlignedBuffer<BFloat16> tiles_;
};

}  // namespace twofour::sparse
