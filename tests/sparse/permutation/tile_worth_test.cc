#include "twofour/sparse/permutation/tile_worth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "twofour/core/random.h"
#include "twofour/sparse/best_tile_mask.h"

namespace twofour::sparse {
namespace {

/// Every mask tried, or each row's two largest.
double BruteForce(VnmInner inner, const TileMagnitudes& tile) {
  double sum = 0;
  if (inner == VnmInner::kTransposable) {
    const TileMask best = BestTileMask(2, tile);
    for (int i = 0; i < 16; ++i) sum += Keeps(best, i / 4, i % 4) ? static_cast<double>(tile[i]) : 0.0;
    return sum;
  }
  for (int row = 0; row < 4; ++row) {
    std::array<float, 4> of_row{};
    std::copy_n(tile.begin() + 4 * row, 4, of_row.begin());
    std::ranges::sort(of_row, std::greater<>());
    sum += static_cast<double>(of_row[0]) + static_cast<double>(of_row[1]);
  }
  return sum;
}

/// Whole numbers, which floats add exactly. Small ones make ties.
TEST(TileWorthTest, IsWhatTheBestMaskKeeps) {
  RandomSequence random({11, 0, 0});
  for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
    for (const uint32_t bound : {2u, 4u, 100000u}) {
      for (int round = 0; round < 300; ++round) {
        constexpr int64_t kCount = 3, kStride = 5;
        ThreeColumns three;
        for (auto& row : three) {
          for (float& x : row) x = static_cast<float>(random.Below(bound));
        }
        std::vector<float> fourth(kTileSize * kStride), worths(kCount, 1.0f);
        for (float& x : fourth) x = static_cast<float>(random.Below(bound));
        AddTileWorths(inner, three, fourth.data(), kStride, kCount, worths.data());
        for (int64_t i = 0; i < kCount; ++i) {
          TileMagnitudes tile{};
          for (int row = 0; row < 4; ++row) {
            std::copy_n(three[row], 3, tile.begin() + 4 * row);
            tile[4 * row + 3] = fourth[static_cast<size_t>(row * kStride + i)];
          }
          ASSERT_EQ(static_cast<double>(worths[static_cast<size_t>(i)]) - 1, BruteForce(inner, tile));
        }
      }
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
