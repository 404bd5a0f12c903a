#include "twofour/sparse/permutation/swap_gains.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "twofour/sparse/mask.h"
#include "twofour/sparse/permutation/pattern_mask.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using test::ScopedNumThreads;

struct Case {
  VnmPattern pattern;
  int64_t rows, cols;

  std::string ToString() const {
    return PatternName(pattern) + " " + std::to_string(rows) + " x " + std::to_string(cols);
  }
};

/// Whole and cut-off blocks.
std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
    for (const auto& [rows, cols] : {std::pair{8, 16}, {12, 24}}) {
      cases.push_back({{.m = kPlainColumns, .inner = inner}, rows, cols});
    }
    for (const auto& [v, m] : {std::pair{4, 5}, {4, 8}, {8, 7}, {12, 6}}) {
      for (const auto& [rows, cols] : {std::pair{24, 48}, {22, 17}, {9, 11}}) {
        cases.push_back({{.v = v, .m = m, .inner = inner}, rows, cols});
      }
    }
  }
  return cases;
}

/// The sum of what the mask keeps in rows [top, bottom) and columns [left, right).
double KeptIn(const Tensor& scores, const VnmPattern& pattern, int64_t top, int64_t bottom, int64_t left,
              int64_t right) {
  const Mask mask = FindPatternMask(scores, pattern);
  double sum = 0;
  for (int64_t row = top; row < std::min(bottom, scores.dim(0)); ++row) {
    for (int64_t col = left; col < std::min(right, scores.dim(1)); ++col) {
      if (mask.Keeps(row, col)) sum += static_cast<double>(scores.data<float>()[row * scores.dim(1) + col]);
    }
  }
  return sum;
}

ScoreMatrix View(const Tensor& scores) { return {scores.data<float>(), scores.dim(0), scores.dim(1)}; }

/// A place of each group, as far as the groups have so many.
std::vector<int64_t> Holes(int64_t channels, int64_t group, int64_t first) {
  std::vector<int64_t> holes;
  for (int64_t left = 0, shift = first; left < channels; left += group, ++shift) {
    const int64_t place = left + shift % group;
    if (place < channels) holes.push_back(place);
  }
  return holes;
}

TEST(SwapGainsTest, OfColumnsAreWhatMasksWouldKeep) {
  for (const Case& one : Cases()) {
    SCOPED_TRACE(one.ToString());
    const Tensor scores = RandomF32({one.rows, one.cols}, {2, 0, 0}, 0, 1);
    for (const int64_t first : {0, 3}) {
      const std::vector<int64_t> holes = Holes(one.cols, one.pattern.m, first);
      std::vector<double> gains(holes.size() * holes.size(), 10.0);
      AddColumnGains(View(scores), one.pattern, holes, 0.5, gains);
      for (size_t i = 0; i < holes.size(); ++i) {
        for (size_t c = 0; c < holes.size(); ++c) {
          Tensor changed = scores.Clone();
          float* const data = changed.mutable_data<float>();
          for (int64_t row = 0; row < one.rows; ++row) {
            data[row * one.cols + holes[i]] = scores.data<float>()[row * one.cols + holes[c]];
          }
          const int64_t left = holes[i] / one.pattern.m * one.pattern.m;
          const double kept = KeptIn(changed, one.pattern, 0, one.rows, left, left + one.pattern.m);
          EXPECT_NEAR(gains[i * holes.size() + c], 10 + 0.5 * kept, 1e-5 * one.rows) << i << " " << c;
        }
      }
    }
  }
}

TEST(SwapGainsTest, OfRowsAreWhatMasksWouldKeep) {
  for (const Case& one : Cases()) {
    SCOPED_TRACE(one.ToString());
    const bool plain = IsPlain(one.pattern);
    const int64_t v = plain ? kTileSize : one.pattern.v;
    const Tensor scores = RandomF32({one.rows, one.cols}, {3, 0, 0}, 0, 1);
    const std::vector<int64_t> holes = Holes(one.rows, v, 1);
    std::vector<double> gains(holes.size() * holes.size(), 0.0);
    AddRowGains(View(scores), one.pattern, holes, 2, gains);
    if (plain && one.pattern.inner == VnmInner::kRows) {
      EXPECT_TRUE(std::ranges::all_of(gains, [](double gain) { return gain == 0; }));
      continue;
    }
    for (size_t i = 0; i < holes.size(); ++i) {
      for (size_t c = 0; c < holes.size(); ++c) {
        Tensor changed = scores.Clone();
        std::copy_n(scores.data<float>() + holes[c] * one.cols, one.cols,
                    changed.mutable_data<float>() + holes[i] * one.cols);
        const int64_t top = holes[i] / v * v;
        const double kept = KeptIn(changed, one.pattern, top, top + v, 0, one.cols);
        EXPECT_NEAR(gains[i * holes.size() + c], 2 * kept, 1e-5 * static_cast<double>(one.cols)) << i << " " << c;
      }
    }
  }
}

/// Equal sums: the first of the columns counts, also where the new column is one of them.
TEST(SwapGainsTest, TiesGoToTheFirstColumn) {
  const VnmPattern pattern{.v = 4, .m = 6};
  Tensor scores = Tensor::Zeros({4, 12});
  for (int64_t i = 0; i < scores.numel(); ++i) scores.mutable_data<float>()[i] = static_cast<float>(i * 7 % 3 == 0);
  for (const int64_t first : {0, 1, 2, 3, 4, 5}) {
    const std::vector<int64_t> holes = Holes(12, 6, first);
    std::vector<double> gains(4, 0.0);
    AddColumnGains(View(scores), pattern, holes, 1, gains);
    for (size_t i = 0; i < 2; ++i) {
      const int64_t left = holes[i] / 6 * 6;
      EXPECT_EQ(gains[i * 2 + i], KeptIn(scores, pattern, 0, 4, left, left + 6));
    }
  }
}

TEST(SwapGainsTest, AreTheSameForAnyNumberOfThreads) {
  const VnmPattern pattern{.v = 16, .m = 8};
  const Tensor scores = RandomF32({96, 160}, {4, 0, 0}, 0, 1);
  const std::vector<int64_t> columns = Holes(160, 8, 0), rows = Holes(96, 8, 0);
  const auto gains = [&](int threads) {
    const ScopedNumThreads scoped(threads);
    std::vector<double> of_columns(columns.size() * columns.size()), of_rows(rows.size() * rows.size());
    AddColumnGains(View(scores), pattern, columns, 1, of_columns);
    AddRowGains(View(scores), pattern, rows, 1, of_rows);
    return std::pair(of_columns, of_rows);
  };
  EXPECT_EQ(gains(3), gains(1));
}

}  // namespace
}  // namespace twofour::sparse
