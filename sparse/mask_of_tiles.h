#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/parallel.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// The mask of f32 `weight` [rows, cols] whose every tile is choose(number, elements): its number, row by row, and its
/// elements as TileMagnitudes lie, signs and all. `choose` may be called on any thread. For choices that have no
/// vectorised kernel.
template <typename Choose>
Mask MaskOfTiles(const Tensor& weight, std::string_view name, const Choose& choose) {
  Mask mask(weight.dim(0), weight.dim(1));
  RequireFinite(weight, name);
  const float* w = weight.data<float>();
  ParallelFor(mask.tile_rows(), RowGrain(mask.cols() * kTileSize), [&](int64_t begin, int64_t end) {
    for (int64_t number = begin * mask.tile_cols(); number < end * mask.tile_cols(); ++number) {
      const int64_t row = number / mask.tile_cols() * kTileSize, col = number % mask.tile_cols() * kTileSize;
      TileMagnitudes elements;
      for (int i = 0; i < kTileSize * kTileSize; ++i) {
        elements[static_cast<size_t>(i)] = w[(row + i / kTileSize) * mask.cols() + col + i % kTileSize];
      }
      mask.tiles()[number] = choose(number, elements);
    }
  });
  return mask;
}

}  // namespace twofour::sparse
