#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// The columns in which some rows of a mask keep anything.
class UsedColumns {
 public:
  explicit UsedColumns(const MaskView& mask) : mask_(mask), any_(static_cast<size_t>(mask.tile_cols())) {}

  /// Looks at rows of tiles [first, last).
  void Find(int64_t first, int64_t last) {
    std::fill(any_.begin(), any_.end(), TileMask{0});
    for (int64_t tile_row = first; tile_row < last; ++tile_row) {
      const TileMask* const tiles = mask_.tiles + tile_row * mask_.tile_cols();
      for (size_t i = 0; i < any_.size(); ++i) any_[i] = static_cast<TileMask>(any_[i] | tiles[i]);
    }
  }
  /// Of these rows, whether they keep something in a column.
  bool operator[](int64_t col) const {
    return (any_[static_cast<size_t>(col / kTileSize)] >> col % kTileSize & 0x1111u) != 0;
  }

 private:
  MaskView mask_;
  std::vector<TileMask> any_;
};

}  // namespace twofour::sparse
