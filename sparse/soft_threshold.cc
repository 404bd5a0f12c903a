#include "twofour/sparse/soft_threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/for_each_tile_row.h"
#include "twofour/sparse/kernels/search/row_groups.h"

namespace twofour::sparse {

Tensor SoftThreshold(const Tensor& weight, const RowPattern& pattern, const Mask& mask) {
  ops::RequireDType("SoftThreshold", "weight", weight, DType::kF32);
  RequirePattern(pattern);
  if (weight.shape() != Shape{mask.rows(), mask.cols()}) {
    throw Error(fmt::format("SoftThreshold: a weight of shape {} and a mask of shape [{}, {}], expected equal shapes",
                            ToString(weight.shape()), mask.rows(), mask.cols()));
  }
  const float* w = weight.data<float>();
  Tensor result = Tensor::Empty(weight.shape());
  float* out = result.mutable_data<float>();
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    const TileRow row(mask.view(), tile_row, w, std::lcm(kTileSize, pattern.of));
    const TileMask* tiles = mask.tiles() + tile_row * mask.tile_cols();
    std::vector<TileMask> padded;
    if (row.cols() != mask.cols()) {
      padded.assign(static_cast<size_t>(row.cols() / kTileSize), 0);
      std::copy_n(tiles, mask.tile_cols(), padded.begin());
      tiles = padded.data();
    }
    row.Into(out, [&](float* shrunk) { ShrinkKeptOfGroups(tiles, row.cols(), pattern.of, row.data(), shrunk); });
  });
  return result;
}

double ScaleToFit(const Tensor& weight, const Tensor& pruned) {
  ops::RequireDType("ScaleToFit", "weight", weight, DType::kF32);
  ops::RequireDType("ScaleToFit", "pruned", pruned, DType::kF32);
  if (weight.shape() != pruned.shape()) {
    throw Error(fmt::format("ScaleToFit: shapes {} and {}, expected equal ones", ToString(weight.shape()),
                            ToString(pruned.shape())));
  }
  const float* w = weight.data<float>();
  const float* p = pruned.data<float>();
  double product = 0, square = 0;
  for (int64_t i = 0; i < weight.numel(); ++i) {
    product += double{w[i]} * double{p[i]};
    square += double{p[i]} * double{p[i]};
  }
  return square > 0 ? product / square : 1.0;
}

}  // namespace twofour::sparse
