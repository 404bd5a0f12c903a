#include "twofour/sparse/vnm_columns.h"

#include <algorithm>
#include <cmath>

#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

/// Takes the columns of [begin, end) with the largest sums, of equal ones the first.
void TakeLargest(const float* sums, int64_t begin, int64_t end, VnmColumns::Four& four) {
  int taken = 0;
  float largest[VnmPattern::kColumns];
  for (int64_t col = begin; col < end; ++col) {
    int at = taken;
    while (at > 0 && sums[col] > largest[at - 1]) --at;
    if (at == VnmPattern::kColumns) continue;
    taken = std::min(taken + 1, VnmPattern::kColumns);
    for (int i = taken - 1; i > at; --i) {
      largest[i] = largest[i - 1];
      four[i] = four[i - 1];
    }
    largest[at] = sums[col];
    four[at] = static_cast<int32_t>(col);
  }
  std::sort(four, four + taken);
  std::fill(four + taken, four + VnmPattern::kColumns, VnmColumns::kNone);
}

}  // namespace

VnmColumns VnmColumns::Choose(const float* scores, int64_t rows, int64_t cols, const VnmPattern& pattern) {
  VnmColumns chosen(rows, cols, pattern);
  ParallelFor(chosen.row_blocks_, RowGrain(cols * pattern.v), [&](int64_t begin, int64_t end) {
    std::vector<float> sums(static_cast<size_t>(cols));
    for (int64_t block = begin; block < end; ++block) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      const int64_t bottom = std::min((block + 1) * pattern.v, rows);
      for (int64_t row = block * pattern.v; row < bottom; ++row) {
        const float* const from = scores + row * cols;
        for (int64_t col = 0; col < cols; ++col) sums[static_cast<size_t>(col)] += std::fabs(from[col]);
      }
      for (int64_t group = 0; group < chosen.groups_; ++group) {
        const int64_t left = group * pattern.m;
        TakeLargest(sums.data(), left, std::min(left + pattern.m, cols),
                    chosen.columns_[static_cast<size_t>(block * chosen.groups_ + group)].four);
      }
    }
  });
  return chosen;
}

VnmColumns VnmColumns::Of(const MaskView& mask, const VnmPattern& pattern) {
  VnmColumns found(mask.rows, mask.cols, pattern);
  const int64_t tile_rows = pattern.v / kTileSize;
  ParallelFor(found.row_blocks_, RowGrain(mask.cols * tile_rows), [&](int64_t begin, int64_t end) {
    std::vector<TileMask> any(static_cast<size_t>(mask.tile_cols()));
    for (int64_t block = begin; block < end; ++block) {
      std::fill(any.begin(), any.end(), TileMask{0});
      const int64_t last = std::min((block + 1) * tile_rows, mask.tile_rows());
      for (int64_t tile_row = block * tile_rows; tile_row < last; ++tile_row) {
        const TileMask* const tiles = mask.tiles + tile_row * mask.tile_cols();
        for (size_t i = 0; i < any.size(); ++i) any[i] = static_cast<TileMask>(any[i] | tiles[i]);
      }
      const auto is_used = [&](int64_t col) {
        return (any[static_cast<size_t>(col / kTileSize)] >> col % kTileSize & 0x1111u) != 0;
      };
      for (int64_t group = 0; group < found.groups_; ++group) {
        const int64_t left = group * pattern.m, right = std::min(left + pattern.m, mask.cols);
        Four& four = found.columns_[static_cast<size_t>(block * found.groups_ + group)].four;
        int taken = 0;
        for (const bool used : {true, false}) {
          for (int64_t col = left; col < right && taken < VnmPattern::kColumns; ++col) {
            if (is_used(col) == used) four[taken++] = static_cast<int32_t>(col);
          }
        }
        std::sort(four, four + taken);
        std::fill(four + taken, four + VnmPattern::kColumns, kNone);
      }
    }
  });
  return found;
}

}  // namespace twofour::sparse
