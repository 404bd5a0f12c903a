#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {

/// The largest tile that is summed at once. Its sums in double and four of its rows in f32 fit into the first-level
/// cache.
inline constexpr int64_t kColumnSumRows = 256, kColumnSumCols = 1024;

/// out[c] = the sum over rows of what add_tile adds, for c in [0, cols). add_tile(row, rows, col, cols, sums) adds rows
/// [row, row + rows) of columns [col, col + cols) to sums[0, cols). A tile has at most kColumnSumRows x kColumnSumCols
/// elements, so there is work for all threads whether the matrix is tall or wide. The order of additions depends on the
/// shape alone: the sums of bands of kColumnSumRows rows are added up in order.
template <typename T, typename AddTile>
void SumColumnTiles(int64_t rows, int64_t cols, T* out, AddTile add_tile) {
  const int64_t bands = std::max<int64_t>(1, CeilDiv(rows, kColumnSumRows));
  const int64_t strips = CeilDiv(cols, kColumnSumCols);
  std::vector<double> sums(static_cast<size_t>(bands * cols));
  ParallelFor(bands * strips, RowGrain(std::min(rows, kColumnSumRows) * std::min(cols, kColumnSumCols)),
              [&](int64_t first, int64_t last) {
                for (int64_t tile = first; tile < last; ++tile) {
                  const int64_t band = tile / strips, row = band * kColumnSumRows;
                  const int64_t col = tile % strips * kColumnSumCols;
                  add_tile(row, std::min(kColumnSumRows, rows - row), col, std::min(kColumnSumCols, cols - col),
                           sums.data() + band * cols + col);
                }
              });
  double* const total = sums.data();
  for (int64_t band = 1; band < bands; ++band) {
    for (int64_t c = 0; c < cols; ++c) total[c] += total[band * cols + c];
  }
  for (int64_t c = 0; c < cols; ++c) out[c] = static_cast<T>(total[c]);
}

}  // namespace twofour::kernels
