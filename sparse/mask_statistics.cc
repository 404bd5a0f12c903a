#include "twofour/sparse/mask_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::sparse {

MaskStatistics StatisticsOf(const Tensor& weight, const Mask& mask) {
  ops::RequireDType("StatisticsOf", "weight", weight, DType::kF32);
  const int64_t rows = mask.rows(), cols = mask.cols();
  if (weight.shape() != Shape{rows, cols}) {
    throw Error(fmt::format("StatisticsOf: a weight of shape {} and a mask of shape [{}, {}], expected equal shapes",
                            ToString(weight.shape()), rows, cols));
  }
  MaskStatistics statistics;
  if (weight.numel() == 0) return statistics;
  statistics.sparsity = 1 - static_cast<double>(mask.CountKept()) / static_cast<double>(weight.numel());
  statistics.tiles_keeping_seven = std::count_if(mask.tiles(), mask.tiles() + mask.tile_rows() * mask.tile_cols(),
                                                 [](TileMask tile) { return CountKept(tile) == 7; });
  const Tensor kept = ApplyMask(weight, mask);
  const float* w = kept.data<float>();
  std::vector<char> row_lives(static_cast<size_t>(rows)), column_lives(static_cast<size_t>(cols));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      const char lives = w[row * cols + col] != 0 ? 1 : 0;
      row_lives[row] |= lives;
      column_lives[col] |= lives;
    }
  }
  statistics.dead_rows = std::count(row_lives.begin(), row_lives.end(), 0);
  statistics.dead_columns = std::count(column_lives.begin(), column_lives.end(), 0);
  return statistics;
}

}  // namespace twofour::sparse
