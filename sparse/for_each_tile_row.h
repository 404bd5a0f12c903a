#pragma once

#include <cstdint>

#include "twofour/core/parallel.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// Calls body(tile_row) for each row of tiles of a mask, on any thread: no two threads get the same tile.
template <typename Body>
void ForEachTileRow(const MaskView& mask, const Body& body) {
  ParallelFor(mask.tile_rows(), RowGrain(mask.cols * kTileSize), [&](int64_t begin, int64_t end) {
    for (int64_t tile_row = begin; tile_row < end; ++tile_row) body(tile_row);
  });
}

}  // namespace twofour::sparse
