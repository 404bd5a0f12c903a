#include "twofour/sparse/vnm_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm_columns.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"
#include "tests/support/vnm_brute_force.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

struct Case {
  int64_t rows, cols;
  VnmPattern pattern;
};

/// Whole and cut-off blocks, and as many columns in the last block as there can be.
std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
    for (const auto& [v, m] : {std::pair{4, 5}, {4, 8}, {8, 7}, {16, 32}, {64, 6}}) {
      for (const auto& [rows, cols] : {std::pair{64, 64}, {20, 36}, {7, 33}, {3, 3}, {1, 70}, {68, 9}}) {
        cases.push_back({rows, cols, {.v = v, .m = m, .inner = inner}});
      }
    }
  }
  return cases;
}

/// Keeps the columns with the largest sums, and the best of all masks in them.
TEST(VnmMaskTest, KeepsWhatBruteForceKeeps) {
  for (const Case& one : Cases()) {
    const int64_t rows = one.rows, cols = one.cols;
    const VnmPattern& pattern = one.pattern;
    SCOPED_TRACE(pattern.ToString() + " " + std::to_string(rows) + " x " + std::to_string(cols));
    const Tensor scores = RandomF32({rows, cols}, {.seed = 3});
    const std::vector<float> s = scores.ToVector();
    const auto magnitude = [&](int64_t row, int64_t col) {
      return row < rows ? std::fabs(static_cast<double>(s[static_cast<size_t>(row * cols + col)])) : 0.0;
    };
    const Mask mask = FindVnmMask(scores, pattern);
    EXPECT_EQ(FindVnmViolation(mask.view(), pattern), std::nullopt);
    for (int64_t top = 0; top < rows; top += pattern.v) {
      for (int64_t left = 0; left < cols; left += pattern.m) {
        const int64_t bottom = std::min<int64_t>(top + pattern.v, rows),
                      right = std::min<int64_t>(left + pattern.m, cols);
        std::vector<std::pair<float, int64_t>> sums;  // Of each column, as floats are added up.
        for (int64_t col = left; col < right; ++col) {
          float sum = 0;
          for (int64_t row = top; row < bottom; ++row) sum += std::fabs(s[static_cast<size_t>(row * cols + col)]);
          sums.push_back({-sum, col});
        }
        std::ranges::sort(sums);
        sums.resize(std::min<size_t>(sums.size(), 4));
        for (int64_t first = top; first < bottom; first += 4) {
          double kept = 0, magnitudes[4][4] = {};
          for (int64_t row = first; row < std::min(first + 4, bottom); ++row) {
            for (int64_t col = left; col < right; ++col) kept += mask.Keeps(row, col) ? magnitude(row, col) : 0.0;
          }
          for (size_t i = 0; i < sums.size(); ++i) {
            for (int64_t r = 0; r < 4; ++r)
              magnitudes[r][i] = first + r < bottom ? magnitude(first + r, sums[i].second) : 0.0;
          }
          EXPECT_NEAR(kept, test::MostOfFour(magnitudes, pattern.inner), 1e-5);
        }
      }
    }
  }
}

TEST(VnmMaskTest, OfEqualColumnsTheFirstAreKept) {
  const Mask mask = FindVnmMask(Tensor::Full({8, 16}, -1.0), {.v = 8, .m = 8});
  for (int64_t col = 0; col < 16; ++col) {
    int64_t kept = 0;
    for (int64_t row = 0; row < 8; ++row) kept += mask.Keeps(row, col);
    EXPECT_EQ(kept, col % 8 < 4 ? 4 : 0) << col;
  }
}

TEST(VnmMaskTest, IsTheSameForAnyNumberOfThreads) {
  const Tensor scores = RandomF32({300, 260}, {.seed = 9});
  const VnmPattern pattern{.v = 16, .m = 8};
  const ScopedNumThreads one(1);
  const Mask expected = FindVnmMask(scores, pattern);
  for (const int threads : {2, 3, 7}) {
    const ScopedNumThreads several(threads);
    EXPECT_EQ(FindVnmMask(scores, pattern), expected);
  }
}

TEST(VnmMaskTest, ScoresThatAreNotFiniteAreNamed) {
  Tensor scores = RandomF32({12, 20}, {.seed = 1});
  scores.mutable_data<float>()[7 * 20 + 19] = std::numeric_limits<float>::infinity();
  EXPECT_ERROR(FindVnmMask(scores, {.v = 4, .m = 8}, "c_fc.weight"), ErrorKind::kRuntimeFailure,
               HasSubstr("c_fc.weight"));
}

TEST(VnmMaskTest, PatternsOutOfBoundsAreRefused) {
  const Tensor scores = Tensor::Zeros({8, 8});
  const auto expect = [&](const VnmPattern& pattern, const std::string& message) {
    EXPECT_ERROR(FindVnmMask(scores, pattern), ErrorKind::kInvalidInput, message);
  };
  expect({.v = 6}, "V:N:M pattern 6:2:8: v is 6, expected a multiple of 4 from 4 to 256");
  expect({.v = 260}, "V:N:M pattern 260:2:8: v is 260, expected a multiple of 4 from 4 to 256");
  expect({.n = 1}, "V:N:M pattern 64:1:8: n is 1, expected 2");
  expect({.m = 4}, "V:N:M pattern 64:2:4: m is 4, expected 5 to 32");
  expect({.m = 33}, "V:N:M pattern 64:2:33: m is 33, expected 5 to 32");
  EXPECT_ERROR(FindVnmMask(Tensor::Zeros({8}), {}), ErrorKind::kInvalidInput,
               "weight: shape [8], a 64:2:8 mask needs [rows, cols]");
}

TEST(VnmViolationTest, NamesTheFirst) {
  const VnmPattern pattern{.v = 8, .m = 8};
  Tensor matrix = Tensor::Zeros({16, 16});
  float* const x = matrix.mutable_data<float>();
  EXPECT_EQ(FindVnmViolation(matrix, pattern), std::nullopt);
  x[9 * 16 + 8] = x[10 * 16 + 8] = x[12 * 16 + 8] = 1;
  EXPECT_EQ(FindVnmViolation(matrix, pattern), std::nullopt);
  x[11 * 16 + 8] = 1;
  EXPECT_EQ(FindVnmViolation(matrix, pattern), "3 non-zero entries in column 8, rows 8 to 11; at most 2 are allowed");
  EXPECT_EQ(FindVnmViolation(matrix, {.v = 8, .m = 8, .inner = VnmInner::kRows}), std::nullopt);
  x[15 * 16 + 10] = x[15 * 16 + 12] = x[15 * 16 + 15] = 1;
  EXPECT_EQ(FindVnmViolation(matrix, pattern), "3 non-zero entries in row 15, columns 8 to 15; at most 2 are allowed");
  x[8 * 16 + 9] = 1;
  EXPECT_EQ(FindVnmViolation(matrix, pattern),
            "5 columns are not zero in rows 8 to 15, columns 8 to 15; at most 4 are allowed");
}

TEST(VnmColumnsTest, OfAMaskAreThoseThatWereChosen) {
  for (const auto& [rows, cols, pattern] : Cases()) {
    SCOPED_TRACE(pattern.ToString());
    const Tensor scores = RandomF32({rows, cols}, {.seed = 5});
    const VnmColumns chosen = VnmColumns::Choose(scores.data<float>(), rows, cols, pattern, VnmColumnChoice::kSums);
    const Mask mask = FindVnmMask(scores, pattern);
    const VnmColumns found = VnmColumns::Of(mask.view(), pattern);
    for (int64_t block = 0; block < chosen.row_blocks(); ++block) {
      for (int64_t group = 0; group < chosen.groups(); ++group) {
        for (int64_t tile_row = block * pattern.v / 4;
             tile_row < std::min<int64_t>((block + 1) * pattern.v / 4, mask.tile_rows()); ++tile_row) {
          const TileMask* const tiles = mask.tiles() + tile_row * mask.tile_cols();
          // The same entries, although a column of which nothing is kept may be another one.
          EXPECT_EQ(CountKept(GatherTile(tiles, chosen.at(block, group))),
                    CountKept(GatherTile(tiles, found.at(block, group))));
        }
      }
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
