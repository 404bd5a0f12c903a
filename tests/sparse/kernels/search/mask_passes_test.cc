#include "twofour/sparse/kernels/search/mask_passes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/for_each_isa.h"

namespace twofour::sparse {
namespace {

/// One row of tiles in buffers of exactly the right size, so that AddressSanitizer sees reads beyond them.
struct Strip {
  explicit Strip(int64_t num_cols) : cols(num_cols), weight(4 * num_cols), tiles(num_cols / 4) {
    RandomSequence random({.seed = 31, .stream = static_cast<uint32_t>(num_cols)});
    for (float& w : weight) w = std::ldexp(random.Uniform(-1, 1), static_cast<int>(random.Below(41)) - 20);
    for (TileMask& tile : tiles) tile = static_cast<TileMask>(random.Below(1 << 16));  // Any words, not only 2:4.
  }

  bool Kept(int64_t at) const {
    const auto row = static_cast<int>(at / cols), col = static_cast<int>(at % cols);
    return Keeps(tiles[col / 4], row, col % 4);
  }

  int64_t cols;
  std::vector<float> weight;
  std::vector<TileMask> tiles;
};

TEST(ApplyTilesTest, KeepsBitsAndWritesPlusZeros) {
  for (int64_t cols = 0; cols <= 140; cols += 4) {
    Strip strip(cols);
    const float values[] = {-0.0f, 1e-45f, std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::quiet_NaN()};
    for (size_t i = 0; i < strip.weight.size(); i += 3) strip.weight[i] = values[i % 4];
    std::vector<float> masked(strip.weight.size(), 7.0f);
    ApplyTiles(strip.tiles.data(), cols, strip.weight.data(), masked.data());
    for (int64_t i = 0; i < 4 * cols; ++i) {
      const uint32_t expected = strip.Kept(i) ? std::bit_cast<uint32_t>(strip.weight[i]) : 0;
      ASSERT_EQ(std::bit_cast<uint32_t>(masked[i]), expected) << cols << " columns, " << i;
    }
    std::vector<float> in_place = strip.weight;
    ApplyTiles(strip.tiles.data(), cols, in_place.data(), in_place.data());
    for (int64_t i = 0; i < 4 * cols; ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(in_place[i]), std::bit_cast<uint32_t>(masked[i])) << cols << " columns, " << i;
    }
  }
}

TEST(AddDroppedOfTilesTest, RoundsTheProductAndThenTheSum) {
  test::ForEachIsa([](Isa) {
    const float factor = 0.3f;  // Products with it are not exact, so that a fused addition would show.
    int64_t fused_differs = 0;
    for (int64_t cols = 0; cols <= 140; cols += 4) {
      const Strip strip(cols), other(cols + 144);
      const std::vector<float> before(other.weight.begin(), other.weight.begin() + 4 * cols);
      std::vector<float> sum = before, in_place = strip.weight;
      AddDroppedOfTiles(strip.tiles.data(), cols, factor, strip.weight.data(), sum.data());
      AddDroppedOfTiles(strip.tiles.data(), cols, factor, in_place.data(), in_place.data());
      for (int64_t i = 0; i < 4 * cols; ++i) {
        const float product = factor * strip.weight[i];
        const float expected = strip.Kept(i) ? before[i] : before[i] + product;
        ASSERT_EQ(std::bit_cast<uint32_t>(sum[i]), std::bit_cast<uint32_t>(expected)) << cols << " columns, " << i;
        ASSERT_EQ(in_place[i], strip.Kept(i) ? strip.weight[i] : strip.weight[i] + product) << cols << ", " << i;
        fused_differs += !strip.Kept(i) && std::fma(factor, strip.weight[i], before[i]) != expected;
      }
    }
    EXPECT_GT(fused_differs, 100);
  });
}

TEST(AddDroppedOfTilesTest, LeavesTheBitsOfWhatIsKept) {
  test::ForEachIsa([](Isa) {
    const std::vector<TileMask> tiles(5, 0xFFFF);
    const std::vector<float> weight(80, std::numeric_limits<float>::infinity());
    std::vector<float> sum(80, -0.0f);
    AddDroppedOfTiles(tiles.data(), 20, 2.0f, weight.data(), sum.data());
    for (const float s : sum) EXPECT_EQ(std::bit_cast<uint32_t>(s), 0x80000000u);
  });
}

TEST(FindAboveTwoOfFourTest, FindsEachWordThatIsAndNoOther) {
  // Every word among 2:4 tiles, at every place of a vector and after the last whole vector.
  constexpr int64_t kTiles = 67;
  for (int word = 0; word <= 0xFFFF; ++word) {
    std::vector<TileMask> tiles(kTiles, 0b0011'1100'0011'1100);
    const int64_t at = word % kTiles;
    tiles[at] = static_cast<TileMask>(word);
    ASSERT_EQ(FindAboveTwoOfFour(tiles.data(), kTiles), IsTwoOfFour(tiles[at]) ? -1 : at) << word;
  }
  const std::vector<TileMask> all(kTiles, 0xFFFF);
  EXPECT_EQ(FindAboveTwoOfFour(all.data(), kTiles), 0);
  EXPECT_EQ(FindAboveTwoOfFour(all.data(), 0), -1);
}

TEST(ExpandTilesTest, OneForWhatIsKept) {
  for (int64_t cols = 0; cols <= 140; cols += 4) {
    const Strip strip(cols);
    std::vector<uint8_t> kept(static_cast<size_t>(4 * cols), 7);
    ExpandTiles(strip.tiles.data(), cols, kept.data());
    for (int64_t i = 0; i < 4 * cols; ++i) ASSERT_EQ(kept[i], strip.Kept(i) ? 1 : 0) << cols << " columns, " << i;
  }
}

TEST(SumMagnitudesTest, AddsInTheDocumentedOrder) {
  // Magnitudes from 2^-20 to 2^60. Sums in double lose bits, so the order of additions matters.
  for (int64_t cols = 0; cols <= 400; cols += 4) {
    Strip strip(cols);
    for (size_t i = 0; i < strip.weight.size(); i += 5) strip.weight[i] *= 0x1p40f;
    double kept_of_column[16] = {}, all_of_column[16] = {};
    for (int64_t group = 0; group < cols; group += 16) {
      for (int64_t row = 0; row < 4; ++row) {
        for (int64_t col = group; col < std::min(group + 16, cols); ++col) {
          const double magnitude = std::fabs(static_cast<double>(strip.weight[row * cols + col]));
          all_of_column[col % 16] += magnitude;
          if (strip.Kept(row * cols + col)) kept_of_column[col % 16] += magnitude;
        }
      }
    }
    double kept = 0, all = 0;
    for (int column = 0; column < 16; ++column) {
      kept += kept_of_column[column];
      all += all_of_column[column];
    }
    const MagnitudeSums sums = SumMagnitudes(strip.tiles.data(), cols, strip.weight.data());
    EXPECT_EQ(sums.kept, kept) << cols;
    EXPECT_EQ(sums.all, all) << cols;
  }
}

TEST(SumDroppedMagnitudesTest, AddsEachTileEntryByEntry) {
  test::ForEachIsa([](Isa) {
    for (int64_t cols = 0; cols <= 140; cols += 4) {
      Strip strip(cols);
      for (size_t i = 0; i < strip.weight.size(); i += 5) strip.weight[i] *= 0x1p40f;  // Makes order matter.
      std::vector<double> sums(strip.tiles.size(), -1);
      SumDroppedMagnitudes(strip.tiles.data(), cols, strip.weight.data(), sums.data());
      for (int64_t tile = 0; tile < cols / 4; ++tile) {
        double expected = 0;
        for (int entry = 0; entry < 16; ++entry) {
          const int64_t at = entry / 4 * cols + 4 * tile + entry % 4;
          if (!strip.Kept(at)) expected += std::fabs(static_cast<double>(strip.weight[at]));
        }
        ASSERT_EQ(sums[tile], expected) << cols << " columns, tile " << tile;
      }
    }
  });
}

TEST(CountTest, EveryLength) {
  const Strip before(4 * 300), after(4 * 304);
  int64_t kept = 0, different = 0;
  for (int64_t count = 0; count < 300; ++count) {
    EXPECT_EQ(CountKept(before.tiles.data(), count), kept) << count;
    EXPECT_EQ(CountDifferences(before.tiles.data(), after.tiles.data(), count), different) << count;
    for (int bit = 0; bit < 16; ++bit) {
      const int one = (before.tiles[count] >> bit) & 1, other = (after.tiles[count] >> bit) & 1;
      kept += one;
      different += one != other;
    }
  }
}

TEST(CountTest, NoSumOverflows) {
  const std::vector<TileMask> all(500001, 0xFFFF), none(500001, 0);
  EXPECT_EQ(CountKept(all.data(), 500001), 16 * 500001);
  EXPECT_EQ(CountDifferences(all.data(), none.data(), 500001), 16 * 500001);
  EXPECT_EQ(CountDifferences(all.data(), all.data(), 500001), 0);
}

}  // namespace
}  // namespace twofour::sparse
