#include "twofour/sparse/kernels/search/row_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/for_each_isa.h"

namespace twofour::sparse {
namespace {

constexpr int kRows = kTileSize;

/// Lengths of rows in groups of `of`: from zero to several full vectors of groups and a partial one.
std::vector<int64_t> Lengths(int of) {
  const int64_t least = std::lcm(int64_t{of}, int64_t{kTileSize});
  std::vector<int64_t> lengths;
  for (const int64_t count : {0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 35}) lengths.push_back(count * least);
  return lengths;
}

/// Four rows with many ties, zeros of both signs and subnormal numbers, in a buffer of exactly the right size.
std::vector<float> WeightWithTies(int64_t cols, uint64_t seed) {
  constexpr float kValues[] = {0.0f, -0.0f, 1e-45f, -1e-45f, 1e-40f, 1.0f, -1.0f, 2.0f, 3.4e38f};
  RandomSequence random({.seed = seed, .stream = static_cast<uint32_t>(cols)});
  std::vector<float> weight(static_cast<size_t>(kRows * cols));
  for (float& w : weight) w = random.Below(3) > 0 ? kValues[random.Below(9)] : random.Uniform(-1, 1);
  return weight;
}

/// Sorts each group by falling magnitude. A stable sort keeps equal entries in their order.
std::vector<TileMask> BySorting(const std::vector<float>& weight, int64_t cols, int keep, int of) {
  std::vector<TileMask> tiles(static_cast<size_t>(cols / kTileSize));
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t first = 0; first < cols; first += of) {
      std::vector<int64_t> order(static_cast<size_t>(of));
      std::iota(order.begin(), order.end(), first);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return std::fabs(weight[row * cols + a]) > std::fabs(weight[row * cols + b]);
      });
      for (int i = 0; i < keep; ++i) {
        TileMask& tile = tiles[order[i] / kTileSize];
        tile = static_cast<TileMask>(tile | 1 << (kTileSize * row + order[i] % kTileSize));
      }
    }
  }
  return tiles;
}

/// Applies the rule entry by entry.
std::vector<float> ShrunkByRule(const std::vector<TileMask>& tiles, int64_t cols, int of,
                                const std::vector<float>& weight) {
  const auto keeps = [&](int row, int64_t col) {
    return Keeps(tiles[col / kTileSize], row, static_cast<int>(col % kTileSize));
  };
  std::vector<float> out(weight.size());
  for (int row = 0; row < kRows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      float largest = 0;
      for (int64_t other = col / of * of; other < col / of * of + of; ++other) {
        const float magnitude = std::fabs(weight[row * cols + other]);
        if (!keeps(row, other) && magnitude > largest) largest = magnitude;
      }
      const float w = weight[row * cols + col], left = std::fabs(w) - largest;
      out[row * cols + col] = keeps(row, col) ? std::copysign(left < 0 ? 0.0f : left, w) : 0.0f;
    }
  }
  return out;
}

TEST(KeepLargestOfGroupsTest, IsTheMaskThatSortingFinds) {
  test::ForEachIsa([](Isa) {
    for (int of = 1; of <= kMostInGroup; of += of < 9 ? 1 : of == 31 ? 1 : 2) {
      for (int keep = 1; keep <= of; keep += of < 10 ? 1 : 5) {
        for (const int64_t cols : Lengths(of)) {
          const std::vector<float> weight = WeightWithTies(cols, 41);
          std::vector<TileMask> tiles(static_cast<size_t>(cols / kTileSize), 0x5A5A);  // Overwritten.
          KeepLargestOfGroups(weight.data(), cols, keep, of, tiles.data());
          ASSERT_EQ(tiles, BySorting(weight, cols, keep, of)) << keep << ":" << of << ", " << cols << " columns";
        }
      }
    }
  });
}

TEST(KeepLargestOfGroupsTest, EveryOrderOfFourNeighbours) {
  // Every order of four magnitudes, ties included. One of the first three is negated.
  test::ForEachIsa([](Isa) {
    std::vector<float> weight;
    for (int code = 0; code < 256; ++code) {
      for (int i = 0; i < 4; ++i) weight.push_back(static_cast<float>((code >> 2 * i & 3) * (i == code % 3 ? -1 : 1)));
    }
    const auto cols = static_cast<int64_t>(weight.size()) / kRows;
    for (int keep = 1; keep <= 4; ++keep) {
      std::vector<TileMask> tiles(static_cast<size_t>(cols / kTileSize));
      KeepLargestOfGroups(weight.data(), cols, keep, 4, tiles.data());
      ASSERT_EQ(tiles, BySorting(weight, cols, keep, 4)) << keep;
    }
  });
}

TEST(ShrinkKeptOfGroupsTest, IsTheRuleToTheBit) {
  constexpr float kOdd[] = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()};
  test::ForEachIsa([&](Isa) {
    for (const int of : {1, 2, 3, 4, 5, 6, 8, 12, 16, 31, 32}) {
      for (const int64_t cols : Lengths(of)) {
        std::vector<float> weight = WeightWithTies(cols, 42);
        RandomSequence random({.seed = 43, .stream = static_cast<uint32_t>(cols)});
        // The weight may have changed since its mask was found, so any words and non-finite values must work.
        std::vector<TileMask> tiles(static_cast<size_t>(cols / kTileSize));
        for (TileMask& tile : tiles) tile = static_cast<TileMask>(random.Below(1 << 16));
        for (size_t i = 0; i < weight.size(); i += 37) weight[i] = kOdd[i % 3];
        const std::vector<float> expected = ShrunkByRule(tiles, cols, of, weight);
        std::vector<float> out(weight.size(), 7.0f);
        ShrinkKeptOfGroups(tiles.data(), cols, of, weight.data(), out.data());
        for (size_t i = 0; i < out.size(); ++i) {
          if (std::isnan(expected[i])) {
            ASSERT_TRUE(std::isnan(out[i])) << "of " << of << ", " << cols << " columns, " << i;
          } else {
            ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected[i]))
                << "of " << of << ", " << cols << " columns, " << i;
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace twofour::sparse
