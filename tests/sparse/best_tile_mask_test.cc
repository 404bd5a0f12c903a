#include "twofour/sparse/best_tile_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "twofour/core/random.h"

#include "tests/support/expect_error.h"

namespace twofour::sparse {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

/// Small whole numbers, so that sums are exact and there are ties.
TileMagnitudes RandomTile(RandomSequence& random) {
  TileMagnitudes tile;
  for (float& magnitude : tile) magnitude = static_cast<float>(random.Below(20));
  return tile;
}

float SumOf(const TileMagnitudes& tile, int mask) {
  float sum = 0;
  for (int entry = 0; entry < 16; ++entry) sum += (mask >> entry & 1) != 0 ? tile[static_cast<size_t>(entry)] : 0;
  return sum;
}

TEST(TransposableMasksTest, AreAsManyAsThereAre) {
  EXPECT_EQ(TransposableMasks(1).size(), 24u);
  EXPECT_THAT(std::vector<TileMask>(TransposableMasks(2).begin(), TransposableMasks(2).end()),
              UnorderedElementsAreArray(TransposableMasks().begin(), TransposableMasks().end()));
  EXPECT_EQ(TransposableMasks(3).size(), 24u);
  EXPECT_EQ(TransposableMasks(4).size(), 1u);
  // Masks that keep three in four drop the entries of a permutation.
  for (const TileMask mask : TransposableMasks(3)) {
    const auto permutations = TransposableMasks(1);
    EXPECT_NE(std::find(permutations.begin(), permutations.end(), static_cast<TileMask>(~mask)), permutations.end());
  }
  for (const int n : {0, 5, -1}) EXPECT_ERROR(TransposableMasks(n), ErrorKind::kInvalidInput, HasSubstr("1 to 4"));
}

TEST(BestTileMaskTest, ThreeOfFourDropsTheSmallestPermutation) {
  RandomSequence random({.seed = 1});
  for (int repeat = 0; repeat < 200; ++repeat) {
    const TileMagnitudes tile = RandomTile(random);
    std::array<int, 4> columns{0, 1, 2, 3};
    float least = std::numeric_limits<float>::infinity();
    do {
      float sum = 0;
      for (int row = 0; row < 4; ++row) sum += tile[static_cast<size_t>(4 * row + columns[static_cast<size_t>(row)])];
      least = std::min(least, sum);
    } while (std::next_permutation(columns.begin(), columns.end()));
    const TileMask mask = BestTileMask(3, tile);
    EXPECT_EQ(CountKept(mask), 12);
    EXPECT_EQ(SumOf(tile, 0xffff & ~mask), least);
  }
}

TEST(BestTileMaskTest, TwoOfFourKeepsWhatTheExactSearchKeeps) {
  RandomSequence random({.seed = 2});
  for (int repeat = 0; repeat < 200; ++repeat) {
    const TileMagnitudes tile = RandomTile(random);
    EXPECT_EQ(SumOf(tile, BestTileMask(2, tile)), SumOf(tile, ExactTileMask(tile)));
  }
}

TEST(BestTileMaskTest, StagesMayBeNested) {
  RandomSequence random({.seed = 3});
  for (int repeat = 0; repeat < 200; ++repeat) {
    const TileMagnitudes before = RandomTile(random), after = RandomTile(random);
    TileMask within = 0xffff;
    for (const int n : {4, 3, 2, 1}) {
      const TileMask mask = BestTileMask(n, n > 2 ? before : after, within);
      EXPECT_EQ(CountKept(mask), 4 * n);
      EXPECT_EQ(mask & ~within, 0);
      // No other mask inside `within` is better.
      for (const TileMask other : TransposableMasks(n)) {
        if ((other & ~within) == 0) {
          EXPECT_GE(SumOf(n > 2 ? before : after, mask), SumOf(n > 2 ? before : after, other));
        }
      }
      within = mask;
    }
  }
}

TEST(BestTileMaskTest, SaysWhereThereIsNone) {
  EXPECT_ERROR(BestTileMask(2, {}, 0x000f), ErrorKind::kInvalidInput, HasSubstr("0x000f"));
}

}  // namespace
}  // namespace twofour::sparse
