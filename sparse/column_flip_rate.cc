#include "twofour/sparse/column_flip_rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

/// The columns of which each tile, in a row of blocks, keeps anything: bits 0 to 3 of a byte.
void FindUsedColumns(const Mask& mask, int64_t first, int64_t last, std::vector<uint8_t>& used) {
  const int64_t tile_cols = mask.tile_cols();
  std::ranges::fill(used, uint8_t{0});
  for (int64_t tile_row = first; tile_row < last; ++tile_row) {
    const TileMask* const tiles = mask.tiles() + tile_row * tile_cols;
    for (int64_t i = 0; i < tile_cols; ++i) {
      const uint32_t halves = tiles[i] | static_cast<uint32_t>(tiles[i]) >> 8;
      used[static_cast<size_t>(i)] |= static_cast<uint8_t>((halves | halves >> 4) & 0xF);
    }
  }
}

}  // namespace

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
    std::vector<uint8_t> old_used(static_cast<size_t>(before.tile_cols())), new_used(old_used.size());
    int64_t flips_here = 0;
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * tile_rows, last = std::min(first + tile_rows, before.tile_rows());
      FindUsedColumns(before, first, last, old_used);
      FindUsedColumns(after, first, last, new_used);
      const auto differs = [&](int64_t col) {
        const auto tile = static_cast<size_t>(col / kTileSize);
        return ((old_used[tile] ^ new_used[tile]) >> col % kTileSize & 1) != 0;
      };
      for (int64_t left = 0; left < cols; left += pattern.m) {
        bool any = false;
        for (int64_t col = left; col < std::min(left + pattern.m, cols); ++col) any = any || differs(col);
        flips_here += any ? 1 : 0;
      }
    }
    flips += flips_here;
  });
  return static_cast<double>(flips) / static_cast<double>(row_blocks * groups);
}

}  // namespace twofour::sparse
