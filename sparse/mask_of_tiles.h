#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/ops/check.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/for_each_tile_row.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// A mask for f32 `weight` [rows, cols] in which each tile is choose(number, elements). `number` counts tiles row by
/// row; `elements` are the tile's signed elements, in the order of TileMagnitudes. `choose` may be called on any
/// thread. For methods without a vectorised kernel.
template <typename Choose>
Mask MaskOfTiles(const Tensor& weight, std::string_view name, const Choose& choose) {
  ops::RequireDType("MaskOfTiles", name, weight, DType::kF32);
  Mask mask(weight.dim(0), weight.dim(1));
  RequireFinite(weight, name);
  const float* w = weight.data<float>();
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    const TileRow row(mask.view(), tile_row, w);
    for (int64_t tile_col = 0; tile_col < mask.tile_cols(); ++tile_col) {
      const float* const tile = row.data() + tile_col * kTileSize;
      TileMagnitudes elements;
      for (int i = 0; i < kTileSize * kTileSize; ++i) {
        elements[static_cast<size_t>(i)] = tile[i / kTileSize * row.cols() + i % kTileSize];
      }
      const int64_t number = tile_row * mask.tile_cols() + tile_col;
      mask.tiles()[number] = choose(number, elements);
    }
    mask.TrimTileRow(tile_row);
  });
  return mask;
}

}  // namespace twofour::sparse
