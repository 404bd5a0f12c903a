#include "twofour/sparse/vnm_columns.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/search/vnm_choice.h"
#include "twofour/sparse/used_columns.h"

namespace twofour::sparse {
namespace {

/// Up to here, trying all choices (70 for 8 columns) is faster than exchanges.
constexpr int kMostColumnsForAll = 8;

/// Blocks side by side that one thread works on at a time.
constexpr int64_t kBlocksOfTask = 128;

void ChooseBits(const BlockRow& blocks, VnmInner inner, VnmColumnChoice choice, uint32_t* chosen) {
  switch (choice) {
    case VnmColumnChoice::kSums:
      return ChooseBySums(blocks, chosen);
    case VnmColumnChoice::kKept:
      if (blocks.m <= kMostColumnsForAll) return ChooseOfAll(blocks, inner, chosen);
      return ChooseByExchanges(blocks, inner, chosen);
    case VnmColumnChoice::kExact:
      return ChooseOfAll(blocks, inner, chosen);
  }
}

/// The columns of a block that begins with column `left`. Some bits may be missing or too many, because of a NaN.
void SetColumns(uint32_t bits, int64_t left, VnmColumns::Four& four) {
  for (int32_t& column : four) {
    column = bits == 0 ? VnmColumns::kNone : static_cast<int32_t>(left + std::countr_zero(bits));
    bits &= bits - 1;
  }
}

}  // namespace

VnmColumns VnmColumns::Choose(const float* scores, int64_t rows, int64_t cols, const VnmPattern& pattern,
                              VnmColumnChoice choice) {
  assert(choice != VnmColumnChoice::kExact || pattern.m <= kMostExactColumns);
  VnmColumns chosen(rows, cols, pattern);
  const int64_t whole = cols / pattern.m, tasks_of_row = CeilDiv(chosen.groups_, kBlocksOfTask);
  const int64_t block_size = pattern.v * pattern.m;
  ParallelFor(chosen.row_blocks_ * tasks_of_row, RowGrain(kBlocksOfTask * block_size), [&](int64_t begin, int64_t end) {
    uint32_t bits[kBlocksOfTask];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t block = task / tasks_of_row, top = block * pattern.v;
      const int64_t first = task % tasks_of_row * kBlocksOfTask, last = std::min(first + kBlocksOfTask, chosen.groups_);
      BlockRow blocks{.scores = scores + top * cols + first * pattern.m,
                      .stride = cols,
                      .rows = std::min<int64_t>(pattern.v, rows - top),
                      .groups = std::min(last, whole) - first,
                      .m = pattern.m};
      ChooseBits(blocks, pattern.inner, choice, bits);
      if (last > whole) {  // The last block is narrower.
        blocks = {scores + top * cols + whole * pattern.m, cols, blocks.rows, 1, static_cast<int>(cols % pattern.m)};
        uint32_t& narrow = bits[whole - first];
        narrow = (1u << blocks.m) - 1;
        if (blocks.m > VnmPattern::kColumns) ChooseBits(blocks, pattern.inner, choice, &narrow);
      }
      for (int64_t group = first; group < last; ++group) {
        SetColumns(bits[group - first], group * pattern.m,
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
    UsedColumns used_columns(mask);
    for (int64_t block = begin; block < end; ++block) {
      used_columns.Find(block * tile_rows, std::min((block + 1) * tile_rows, mask.tile_rows()));
      for (int64_t group = 0; group < found.groups_; ++group) {
        const int64_t left = group * pattern.m, right = std::min(left + pattern.m, mask.cols);
        Four& four = found.columns_[static_cast<size_t>(block * found.groups_ + group)].four;
        int taken = 0;
        for (const bool used : {true, false}) {
          for (int64_t col = left; col < right && taken < VnmPattern::kColumns; ++col) {
            if (used_columns[col] == used) four[taken++] = static_cast<int32_t>(col);
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
