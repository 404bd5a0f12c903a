#include "twofour/sparse/column_flip_rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/used_columns.h"

namespace twofour::sparse {

double ColumnFlipRate(const Mask& before, const Mask& after, const VnmPattern& pattern) {
  Checked(pattern, "");
  if (before.rows() != after.rows() || before.cols() != after.cols()) {
    throw Error(fmt::format("ColumnFlipRate: masks of shape [{}, {}] and [{}, {}]", before.rows(), before.cols(),
                            after.rows(), after.cols()));
  }
  const int64_t row_blocks = CeilDiv(before.rows(), int64_t{pattern.v}), cols = before.cols();
  const int64_t groups = CeilDiv(cols, int64_t{pattern.m}), tile_rows = pattern.v / kTileSize;
  if (row_blocks * groups == 0) return 0;
  std::atomic<int64_t> flips = 0;
  ParallelFor(row_blocks, RowGrain(cols * tile_rows), [&](int64_t begin, int64_t end) {
    UsedColumns old_used(before.view()), new_used(after.view());
    int64_t flips_here = 0;
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * tile_rows, last = std::min(first + tile_rows, before.tile_rows());
      old_used.Find(first, last);
      new_used.Find(first, last);
      for (int64_t left = 0; left < cols; left += pattern.m) {
        bool any = false;
        for (int64_t col = left; col < std::min(left + pattern.m, cols); ++col)
          any = any || old_used[col] != new_used[col];
        flips_here += any ? 1 : 0;
      }
    }
    flips += flips_here;
  });
  return static_cast<double>(flips) / static_cast<double>(row_blocks * groups);
}

}  // namespace twofour::sparse
