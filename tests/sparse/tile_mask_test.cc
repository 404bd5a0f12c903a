#include "twofour/sparse/tile_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "twofour/core/random.h"

namespace twofour::sparse {
namespace {

/// At most two entries in each row and column, counted bit by bit.
bool IsTransposable(int word) {
  for (int line = 0; line < 4; ++line) {
    int in_row = 0, in_col = 0;
    for (int other = 0; other < 4; ++other) {
      in_row += (word >> (4 * line + other)) & 1;
      in_col += (word >> (4 * other + line)) & 1;
    }
    if (in_row > 2 || in_col > 2) return false;
  }
  return true;
}

TEST(IsTwoOfFourTest, CountsRowsAndColumns) {
  for (int word = 0; word < 65536; ++word) EXPECT_EQ(IsTwoOfFour(static_cast<TileMask>(word)), IsTransposable(word));
}

int Ones(int word) {
  int count = 0;
  for (int entry = 0; entry < 16; ++entry) count += (word >> entry) & 1;
  return count;
}

/// Transposable, and no entry can be added.
bool IsMaximal(int word) {
  if (!IsTransposable(word)) return false;
  for (int entry = 0; entry < 16; ++entry) {
    if (((word >> entry) & 1) == 0 && IsTransposable(word | 1 << entry)) return false;
  }
  return true;
}

/// All words with two entries in each row and each column.
const std::vector<int>& AllMasks() {
  static const std::vector<int> masks = [] {
    std::vector<int> found;
    for (int word = 0; word < 1 << 16; ++word) {
      if (IsTransposable(word) && Ones(word) == 8) found.push_back(word);
    }
    return found;
  }();
  return masks;
}

double Kept(const TileMagnitudes& tile, int word) {
  double sum = 0;
  for (int entry = 0; entry < 16; ++entry) {
    if ((word >> entry) & 1) sum += static_cast<double>(tile[entry]);
  }
  return sum;
}

double BestKept(const TileMagnitudes& tile) {
  double best = -1;
  for (int word : AllMasks()) best = std::max(best, Kept(tile, word));
  return best;
}

/// The masks in the order in which ties go to the first: by the way that pairs columns, then by the rows that keep the
/// first column of each pair.
std::vector<int> MasksInOrderOfTies() {
  constexpr int kWays[3][2][2] = {{{0, 1}, {2, 3}}, {{0, 2}, {1, 3}}, {{0, 3}, {1, 2}}};
  // Crossed: rows 0 and 2, 0 and 3, 1 and 2, 1 and 3; then halves.
  constexpr int kRows[6][4] = {{1, 0, 1, 0}, {1, 0, 0, 1}, {0, 1, 1, 0}, {0, 1, 0, 1}, {1, 1, 0, 0}, {0, 0, 1, 1}};
  std::vector<int> masks;
  for (const auto& way : kWays) {
    for (const auto& first_rows : kRows) {
      for (const auto& second_rows : kRows) {
        int word = 0;
        for (int row = 0; row < 4; ++row) {
          word |= 1 << (4 * row + way[0][1 - first_rows[row]]) | 1 << (4 * row + way[1][1 - second_rows[row]]);
        }
        if (std::find(masks.begin(), masks.end(), word) == masks.end()) masks.push_back(word);
      }
    }
  }
  return masks;
}

/// The first of these masks with the largest sum. Exact if sums of eight magnitudes are exact.
TileMask FirstBest(const TileMagnitudes& tile) {
  static const std::vector<int> masks = MasksInOrderOfTies();
  const double best = BestKept(tile);
  for (const int mask : masks) {
    if (Kept(tile, mask) == best) return static_cast<TileMask>(mask);
  }
  return 0;
}

/// Rows of a mask as text, column 0 first: "1100 0110 0011 1001".
std::string Rows(TileMask mask) {
  std::string text;
  for (int row = 0; row < 4; ++row) {
    if (row > 0) text += ' ';
    for (int col = 0; col < 4; ++col) text += Keeps(mask, row, col) ? '1' : '0';
  }
  return text;
}

TileMagnitudes Magnitudes(const std::array<float, 16>& weights) {
  TileMagnitudes magnitudes;
  for (int entry = 0; entry < 16; ++entry) magnitudes[entry] = std::fabs(weights[entry]);
  return magnitudes;
}

/// Multiples of 2^-24 below 1: sums of eight are exact in double, not in float.
TileMagnitudes RandomTile(RandomSequence& random) {
  TileMagnitudes tile;
  for (float& magnitude : tile) magnitude = random.Uniform();
  return tile;
}

TileMagnitudes SmallIntegers(RandomSequence& random, uint32_t bound) {
  TileMagnitudes tile;
  for (float& magnitude : tile) magnitude = static_cast<float>(random.Below(bound));
  return tile;
}

TEST(TileMaskTest, BitsAreRowMajor) {
  const TileMask mask = 1u << 6;
  for (int row = 0; row < 4; ++row) {
    for (int col = 0; col < 4; ++col) EXPECT_EQ(Keeps(mask, row, col), row == 1 && col == 2);
  }
  EXPECT_EQ(CountKept(0xF00F), 8);
}

TEST(TileMaskTest, TransposableMasksAreAllNinety) {
  ASSERT_EQ(AllMasks().size(), 90u);
  const std::set<int> listed(TransposableMasks().begin(), TransposableMasks().end());
  EXPECT_EQ(TransposableMasks().size(), 90u);
  EXPECT_EQ(listed, std::set<int>(AllMasks().begin(), AllMasks().end()));
}

TEST(TileMaskTest, TransposableMasksStandInTheDocumentedOrder) {
  const auto masks = TransposableMasks();
  EXPECT_EQ(Rows(masks[0]), "1100 0011 1100 0011");   // a = 0, b = 0
  EXPECT_EQ(Rows(masks[1]), "1100 0011 1010 0101");   // a = 0, b = 1
  EXPECT_EQ(Rows(masks[6]), "1010 0101 1100 0011");   // a = 1, b = 0
  EXPECT_EQ(Rows(masks[35]), "0011 1100 0011 1100");  // a = 5, b = 5
  EXPECT_EQ(Rows(masks[36]), "1100 1100 0011 0011");  // The second kind, a = 0.
  EXPECT_EQ(Rows(masks[41]), "0011 0011 1100 1100");  // a = 5
  EXPECT_EQ(Rows(masks[42]), "1010 1001 0110 0101");  // The third kind: h = 0, z = 1, so o = 2, q = 3.
  EXPECT_EQ(Rows(masks[43]), "1010 1001 0101 0110");  // The rows of the lower half are exchanged.
  EXPECT_EQ(Rows(masks[44]), "1001 1010 0110 0101");  // The rows of the upper half are exchanged.
  EXPECT_EQ(Rows(masks[46]), "1100 1001 0110 0011");  // h = 0, z = 2
  EXPECT_EQ(Rows(masks[89]), "0101 1001 0110 1010");  // h = 3, z = 2; the rows of both halves are exchanged.
}

TEST(ExactTileMaskTest, ThreeWaysOfPairingColumnsReachEveryMask) {
  std::vector<int> masks = MasksInOrderOfTies();
  std::sort(masks.begin(), masks.end());
  EXPECT_EQ(masks, AllMasks());
}

TEST(ExactTileMaskTest, IsTheBestOfAllMasks) {
  RandomSequence random({.seed = 1});
  for (int i = 0; i < 10000; ++i) {
    const TileMagnitudes tile = RandomTile(random);
    const TileMask mask = ExactTileMask(tile);
    ASSERT_TRUE(IsTransposable(mask));
    ASSERT_EQ(CountKept(mask), 8);
    // With sums in float, two masks may count as equal although they differ by a few roundings of a sum below 8.
    ASSERT_GE(Kept(tile, mask), BestKept(tile) - 4 * 0x1p-22) << "tile " << i;
  }
}

TEST(ExactTileMaskTest, IsTheVeryBestWhereFloatSumsAreExact) {
  RandomSequence random({.seed = 2});
  for (int i = 0; i < 10000; ++i) {
    const TileMagnitudes tile = SmallIntegers(random, 1u << 20);
    ASSERT_EQ(Kept(tile, ExactTileMask(tile)), BestKept(tile)) << "tile " << i;
  }
}

TEST(ExactTileMaskTest, TiesGoToTheFirstMask) {
  RandomSequence random({.seed = 3});
  for (uint32_t bound : {1u, 2u, 3u, 4u, 8u}) {
    for (int i = 0; i < 4000; ++i) {
      const TileMagnitudes tile = SmallIntegers(random, bound);
      ASSERT_EQ(Rows(ExactTileMask(tile)), Rows(FirstBest(tile))) << "bound " << bound << ", tile " << i;
    }
  }
}

TEST(ExactTileMaskTest, ZerosAndEqualEntriesGiveTheFirstMask) {
  TileMagnitudes tile{};
  EXPECT_EQ(Rows(ExactTileMask(tile)), "1010 0101 1010 0101");
  for (float value : {1.0f, 1e-40f, 1e30f, std::numeric_limits<float>::max()}) {
    tile.fill(value);
    EXPECT_EQ(Rows(ExactTileMask(tile)), "1010 0101 1010 0101") << value;
  }
}

long double KeptLong(const TileMagnitudes& tile, int word) {
  long double sum = 0;
  for (int entry = 0; entry < 16; ++entry) {
    if ((word >> entry) & 1) sum += static_cast<long double>(tile[entry]);
  }
  return sum;
}

/// Sums of eight floats are rounded three times on each side of a comparison, relative to the larger one.
constexpr long double kRoundings = 1 - 8 * 0x1p-24L;

TEST(ExactTileMaskTest, IsTheBestOfAllMasksOfFloatsOfAnySize) {
  RandomSequence random({.seed = 7});
  for (int i = 0; i < 6000; ++i) {
    // Exponents are spread over -149 to 127, or are all near one exponent: the largest, the smallest, or any.
    const int nearest = i % 4 == 0 ? 127 : i % 4 == 1 ? -149 : static_cast<int>(random.Below(277)) - 149;
    const auto spread = i % 3 == 0 ? 1u : i % 3 == 1 ? 4u : 277u;
    TileMagnitudes tile;
    for (float& magnitude : tile) {
      const int exponent = std::max(nearest - static_cast<int>(random.Below(spread)), -149);
      magnitude = std::ldexp(1 + random.Uniform(), exponent);
    }
    long double best = -1;
    for (int word : AllMasks()) best = std::max(best, KeptLong(tile, word));
    const TileMask mask = ExactTileMask(tile);
    ASSERT_EQ(CountKept(mask), 8);
    ASSERT_TRUE(IsTransposable(mask));
    ASSERT_GE(KeptLong(tile, mask), best * kRoundings) << "tile " << i << " near 2^" << nearest;
  }
}

TEST(ExactTileMaskTest, LargeUpperRowsDoNotHideSmallLowerOnes) {
  // The sums of the upper rows overflow a float; the lower rows are denormal, and their halves still differ.
  TileMagnitudes tile{};
  for (int entry = 0; entry < 8; ++entry) tile[entry] = std::numeric_limits<float>::max();
  tile[9] = tile[10] = tile[12] = tile[15] = 3e-45f;
  EXPECT_EQ(Rows(ExactTileMask(tile)), "1010 0101 0110 1001");
}

TEST(ExactTileMaskTest, RowsAreComparedBeforeTheyAreAdded) {
  // For row 0, column 2 is better than column 0 by 2^-21. The sum with the lower rows rounds that away.
  TileMagnitudes tile{};
  for (int entry = 0; entry < 8; ++entry) tile[entry] = 1.0f;
  tile[2] += 0x1p-21f;
  tile[8] = tile[9] = tile[14] = tile[15] = 0x1p20f;
  EXPECT_EQ(Rows(ExactTileMask(tile)), "0110 1001 1100 0011");
}

TEST(ExactTileMaskTest, PowersOfTwoDoNotMatter) {
  RandomSequence random({.seed = 4});
  for (int i = 0; i < 1000; ++i) {
    const TileMagnitudes tile = i % 2 == 0 ? RandomTile(random) : SmallIntegers(random, 4);
    for (float scale : {0x1p-60f, 0.5f, 2.0f, 0x1p60f}) {
      TileMagnitudes scaled = tile;
      for (float& magnitude : scaled) magnitude *= scale;
      ASSERT_EQ(ExactTileMask(scaled), ExactTileMask(tile)) << "scale " << scale;
      ASSERT_EQ(GreedyTileMask(scaled), GreedyTileMask(tile)) << "scale " << scale;
    }
  }
}

TEST(ExactTileMaskTest, KeepsAMaskThatIsThereAlready) {
  for (TileMask mask : TransposableMasks()) {
    TileMagnitudes tile{};
    for (int entry = 0; entry < 16; ++entry) tile[entry] = (mask >> entry) & 1 ? 0.5f + static_cast<float>(entry) : 0;
    EXPECT_EQ(ExactTileMask(tile), mask);
    EXPECT_EQ(GreedyTileMask(tile), mask);
  }
}

TEST(GreedyTileMaskTest, KnownTiles) {
  EXPECT_EQ(Rows(GreedyTileMask(Magnitudes({4, 3, 2, 1, -1, -3, .6f, .5f, 1, 2, 3, 4, 10, 2, -1, 5}))),
            "1100 0110 0011 1001");
  const TileMask seven = GreedyTileMask(Magnitudes({2, -1, -2, -3, -1, 8, -1, 6, -1, -1, 4, 5, -1, 3, 7, -1}));
  EXPECT_EQ(Rows(seven), "1000 0101 0011 0110");
  EXPECT_EQ(CountKept(seven), 7);
}

TEST(GreedyTileMaskTest, EqualEntriesAreTakenInRowMajorOrder) {
  TileMagnitudes tile;
  tile.fill(1.0f);
  EXPECT_EQ(Rows(GreedyTileMask(tile)), "1100 1100 0011 0011");
  tile.fill(0.0f);
  EXPECT_EQ(Rows(GreedyTileMask(tile)), "1100 1100 0011 0011");
}

/// Greedy in another way: scans for the largest entry that still fits, until none fits.
TileMask GreedyByScanning(const TileMagnitudes& tile) {
  int word = 0;
  for (;;) {
    int best = -1;
    for (int entry = 0; entry < 16; ++entry) {
      if ((word >> entry) & 1 || !IsTransposable(word | 1 << entry)) continue;
      if (best < 0 || tile[entry] > tile[best]) best = entry;
    }
    if (best < 0) return static_cast<TileMask>(word);
    word |= 1 << best;
  }
}

TEST(GreedyTileMaskTest, IsMaximalAndNeverBeatsExactWithEight) {
  RandomSequence random({.seed = 5});
  int sevens = 0;
  for (int i = 0; i < 10000; ++i) {
    const TileMagnitudes tile = i % 2 == 0 ? SmallIntegers(random, 1u << 20) : SmallIntegers(random, 4);
    const TileMask mask = GreedyTileMask(tile);
    ASSERT_EQ(Rows(mask), Rows(GreedyByScanning(tile)));
    ASSERT_TRUE(IsMaximal(mask)) << Rows(mask);
    const int kept = CountKept(mask);
    ASSERT_TRUE(kept == 7 || kept == 8);
    sevens += kept == 7;
    if (kept == 8) {
      ASSERT_GE(Kept(tile, ExactTileMask(tile)), Kept(tile, mask));
    }
  }
  EXPECT_GT(sevens, 0);
}

TEST(GreedyTileMaskTest, OfTheMaximalMasksNinetyKeepEightAndNinetySixSeven) {
  int count[17] = {};
  for (int word = 0; word < 1 << 16; ++word) count[Ones(word)] += IsMaximal(word);
  EXPECT_EQ(count[8], 90);
  EXPECT_EQ(count[7], 96);
  EXPECT_EQ(std::accumulate(std::begin(count), std::end(count), 0), 186);
}

TEST(GreedyTileMaskTest, SevenCanBeatTheBestOfNinety) {
  // No mask with eight entries holds all of these seven large ones.
  const TileMask seven = GreedyTileMask(Magnitudes({2, -1, -2, -3, -1, 8, -1, 6, -1, -1, 4, 5, -1, 3, 7, -1}));
  TileMagnitudes tile{};
  for (int entry = 0; entry < 16; ++entry) tile[entry] = (seven >> entry) & 1 ? 10.0f : 0.5f;
  EXPECT_EQ(GreedyTileMask(tile), seven);
  EXPECT_EQ(Kept(tile, seven), 70.0);
  EXPECT_EQ(Kept(tile, ExactTileMask(tile)), BestKept(tile));
  EXPECT_LT(BestKept(tile), 70.0);
}

}  // namespace
}  // namespace twofour::sparse
