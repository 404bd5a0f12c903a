#pragma once

#include <cstdint>

#include "twofour/core/ceil_div.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// A mask as kernels see it: the masks of the 4x4 tiles of a matrix [rows, cols], row-major [tile_rows, tile_cols]. If
/// a size is not a multiple of 4, the last tiles reach beyond the matrix; they keep nothing there. A view owns nothing.
struct MaskView {
  const TileMask* tiles = nullptr;
  int64_t rows = 0, cols = 0;
  VnmPattern vnm = {.v = 0, .m = 0};  ///< Its V:N:M pattern, if it is known to have one; v = 0 if not.

  int64_t tile_rows() const { return CeilDiv(rows, kTileSize); }
  int64_t tile_cols() const { return CeilDiv(cols, kTileSize); }
  bool Keeps(int64_t row, int64_t col) const {
    return sparse::Keeps(tiles[row / kTileSize * tile_cols() + col / kTileSize], static_cast<int>(row % kTileSize),
                         static_cast<int>(col % kTileSize));
  }
};

}  // namespace twofour::sparse
