#include "twofour/sparse/kernels/pair_bucket/tile_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace twofour::sparse {
namespace {

/// All masks that keep at most two in each row and column.
std::vector<TileMask> AllMasks() {
  std::vector<TileMask> masks;
  for (int mask = 0; mask < 1 << 16; ++mask) {
    bool fits = true;
    for (int line = 0; line < kTileSize; ++line) {
      int in_row = 0, in_col = 0;
      for (int i = 0; i < kTileSize; ++i) {
        in_row += Keeps(static_cast<TileMask>(mask), line, i);
        in_col += Keeps(static_cast<TileMask>(mask), i, line);
      }
      fits = fits && in_row <= 2 && in_col <= 2;
    }
    if (fits) masks.push_back(static_cast<TileMask>(mask));
  }
  return masks;
}

TEST(StepsOfTileTest, CoversEveryKeptEntryOnce) {
  const std::vector<TileMask> masks = AllMasks();
  EXPECT_GT(masks.size(), 186u);
  for (const TileMask mask : masks) {
    const TileSteps tile = StepsOfTile(mask);
    ASSERT_LE(tile.count, TileSteps::kMax) << mask;
    std::array<int, 16> times{};
    for (int s = 0; s < tile.count; ++s) {
      for (int i = 0; i < 4; ++i) {
        const int row = tile.step[s].row[i];
        if (row < 0) continue;
        EXPECT_EQ(row, kPairingRows[tile.step[s].pairing][i]) << mask;
        ++times[4 * row + tile.step[s].col[i / 2]];
      }
    }
    for (int entry = 0; entry < 16; ++entry) EXPECT_EQ(times[entry], mask >> entry & 1) << mask << " entry " << entry;
  }
}

TEST(StepsOfTileTest, OrdersStepsByPairing) {
  for (const TileMask mask : AllMasks()) {
    const TileSteps tile = StepsOfTile(mask);
    EXPECT_TRUE(std::is_sorted(tile.step, tile.step + tile.count, [](const TileStep& a, const TileStep& b) {
      return a.pairing < b.pairing;
    })) << mask;
  }
}

TEST(StepsOfTileTest, TransposableTilesTakeTwoStepsWithoutGaps) {
  for (const TileMask mask : TransposableMasks()) {
    const TileSteps tile = StepsOfTile(mask);
    EXPECT_EQ(tile.count, 2) << mask;
    for (int s = 0; s < tile.count; ++s) {
      for (const int row : tile.step[s].row) EXPECT_GE(row, 0) << mask;
    }
  }
}

TEST(StepsOfTileTest, TilesOfSevenTakeThree) {
  int sevens = 0;
  for (const TileMask mask : AllMasks()) {
    // Tiles of seven as greedy makes them: no entry can be added.
    bool maximal = CountKept(mask) == 7;
    for (int entry = 0; entry < 16 && maximal; ++entry) {
      const auto more = static_cast<TileMask>(mask | 1u << entry);
      const int row = entry / 4, col = entry % 4;
      int in_row = 0, in_col = 0;
      for (int i = 0; i < 4; ++i) {
        in_row += Keeps(more, row, i);
        in_col += Keeps(more, i, col);
      }
      maximal = more == mask || in_row > 2 || in_col > 2;
    }
    if (!maximal) continue;
    ++sevens;
    EXPECT_EQ(StepsOfTile(mask).count, 3) << mask;
  }
  EXPECT_EQ(sevens, 96);
}

}  // namespace
}  // namespace twofour::sparse
