#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm_column_choice.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {

/// Which four columns each block of a V:N:M matrix [rows, cols] keeps.
class VnmColumns {
 public:
  /// The columns of one block, ascending. At the right edge there may be fewer than four; the rest are kNone.
  using Four = int32_t[VnmPattern::kColumns];
  static constexpr int32_t kNone = -1;

  /// Columns by |score| (see vnm_choice.h for ties). Blocks of up to four columns keep them all. For kExact, the
  /// pattern has at most kMostExactColumns columns.
  static VnmColumns Choose(const float* scores, int64_t rows, int64_t cols, const VnmPattern& pattern,
                           VnmColumnChoice choice);
  /// Those of which a mask keeps something. Where these are fewer than four, the first others of the block stand in.
  /// The mask must have the pattern.
  static VnmColumns Of(const MaskView& mask, const VnmPattern& pattern);

  int64_t row_blocks() const { return row_blocks_; }
  int64_t groups() const { return groups_; }
  int64_t v() const { return v_; }
  int64_t m() const { return m_; }
  size_t bytes() const { return columns_.size() * sizeof(Columns); }
  /// The columns of group `group` (columns [m * group, m * (group + 1))) in row block `row_block`.
  const Four& at(int64_t row_block, int64_t group) const {
    return columns_[static_cast<size_t>(row_block * groups_ + group)].four;
  }

 private:
  struct Columns {
    Four four;
  };
  VnmColumns(int64_t rows, int64_t cols, const VnmPattern& pattern)
      : v_(pattern.v),
        m_(pattern.m),
        row_blocks_(CeilDiv(rows, v_)),
        groups_(CeilDiv(cols, m_)),
        columns_(static_cast<size_t>(row_blocks_ * groups_)) {}

  int64_t v_, m_, row_blocks_, groups_;
  std::vector<Columns> columns_;
};

/// The entries that a row of tiles keeps in four columns, as a tile; nothing where a column is kNone.
inline TileMask GatherTile(const TileMask* tile_row, const VnmColumns::Four& columns) {
  constexpr uint32_t kColumn = 0x1111;
  uint32_t gathered = 0;
  for (int i = 0; i < VnmPattern::kColumns; ++i) {
    if (columns[i] == VnmColumns::kNone) continue;
    gathered |= (tile_row[columns[i] / kTileSize] >> columns[i] % kTileSize & kColumn) << i;
  }
  return static_cast<TileMask>(gathered);
}

/// The reverse: adds the entries of a tile of four columns to a row of tiles.
inline void ScatterTile(TileMask tile, const VnmColumns::Four& columns, TileMask* tile_row) {
  constexpr uint32_t kColumn = 0x1111;
  for (int i = 0; i < VnmPattern::kColumns; ++i) {
    if (columns[i] == VnmColumns::kNone) continue;
    TileMask& to = tile_row[columns[i] / kTileSize];
    to = static_cast<TileMask>(to | (static_cast<uint32_t>(tile) >> i & kColumn) << columns[i] % kTileSize);
  }
}

}  // namespace twofour::sparse
