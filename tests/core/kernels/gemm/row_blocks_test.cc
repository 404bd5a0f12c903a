#include "twofour/core/kernels/gemm/row_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace twofour::kernels {
namespace {

// A cut of 768 rows into blocks of 252 once left 12 rows for a block of its own, and one thread of two did two thirds
// of the work.
TEST(RowBlocks, AreWholeTilesAndDifferByOneTile) {
  constexpr int64_t kTile = 6, kMost = 252;
  for (int64_t rows = 1; rows <= 3072; ++rows) {
    const RowBlocks blocks(rows, kTile, kMost);
    int64_t behind = 0, least = kMost, largest = 0;
    for (int64_t block = 0; block < blocks.count; ++block) {
      ASSERT_EQ(blocks.Begin(block), behind) << rows;
      behind = blocks.End(block);
      const int64_t height = behind - blocks.Begin(block);
      ASSERT_TRUE(height % kTile == 0 || behind == rows) << rows;
      least = std::min(least, height);
      largest = std::max(largest, height);
    }
    ASSERT_EQ(behind, rows);
    ASSERT_LE(largest, kMost) << rows;
    ASSERT_LT(largest - least, 2 * kTile) << rows;  // The last tile may be cut.
    ASSERT_LT((blocks.count - 1) * kMost, rows);    // As few as possible.
  }
}

}  // namespace
}  // namespace twofour::kernels
