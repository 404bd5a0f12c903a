#include "twofour/sparse/column_flip_rate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include "twofour/sparse/vnm_mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;

/// Scores that differ a little from those of step 0, so that some of the columns stay.
Tensor ScoresOfStep(int64_t rows, int64_t cols, int step) {
  Tensor scores = RandomF32({rows, cols}, {.seed = 7});
  const Tensor noise = RandomF32({rows, cols}, {.seed = 8});
  float* const s = scores.mutable_data<float>();
  for (int64_t i = 0; i < scores.numel(); ++i) s[i] += 0.1f * static_cast<float>(step) * noise.data<float>()[i];
  return scores;
}

/// Entry by entry, by the definition.
double CountedColumnFlips(const Mask& before, const Mask& after, const VnmPattern& pattern) {
  int64_t flips = 0, blocks = 0;
  for (int64_t top = 0; top < before.rows(); top += pattern.v) {
    for (int64_t left = 0; left < before.cols(); left += pattern.m) {
      std::set<int64_t> old_columns, new_columns;
      for (int64_t row = top; row < std::min(top + pattern.v, before.rows()); ++row) {
        for (int64_t col = left; col < std::min(left + pattern.m, before.cols()); ++col) {
          if (before.Keeps(row, col)) old_columns.insert(col);
          if (after.Keeps(row, col)) new_columns.insert(col);
        }
      }
      ++blocks;
      flips += old_columns != new_columns ? 1 : 0;
    }
  }
  return static_cast<double>(flips) / static_cast<double>(blocks);
}

TEST(ColumnFlipRateTest, IsTheShareOfBlocksThatAreCounted) {
  for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
    for (const auto& [v, m] : {std::pair{4, 5}, {16, 8}, {64, 14}}) {
      const VnmPattern pattern{.v = v, .m = m, .inner = inner};
      SCOPED_TRACE(pattern.ToString());
      const Mask before = FindVnmMask(ScoresOfStep(70, 130, 0), pattern),
                 after = FindVnmMask(ScoresOfStep(70, 130, 1), pattern);
      const double rate = ColumnFlipRate(before, after, pattern);
      EXPECT_GT(rate, 0);
      EXPECT_LT(rate, 1);
      EXPECT_DOUBLE_EQ(rate, CountedColumnFlips(before, after, pattern));
      const test::ScopedNumThreads threads(3);
      EXPECT_EQ(ColumnFlipRate(after, before, pattern), rate);
      EXPECT_EQ(ColumnFlipRate(before, before, pattern), 0);
    }
  }
}

/// FlipRate of V:N:M masks, of any size.
TEST(ColumnFlipRateTest, EntriesAreCountedBesideColumns) {
  const VnmPattern pattern{.v = 8, .m = 6};
  const Mask before = FindVnmMask(ScoresOfStep(30, 41, 0), pattern),
             after = FindVnmMask(ScoresOfStep(30, 41, 2), pattern);
  int64_t flips = 0;
  for (int64_t row = 0; row < 30; ++row) {
    for (int64_t col = 0; col < 41; ++col) flips += before.Keeps(row, col) != after.Keeps(row, col) ? 1 : 0;
  }
  EXPECT_GT(flips, 0);
  EXPECT_DOUBLE_EQ(FlipRate(before, after), static_cast<double>(flips) / (30 * 41));
}

TEST(ColumnFlipRateTest, OtherEntriesInTheSameColumnsDoNotCount) {
  Mask before(8, 16), after(8, 16);
  before.tiles()[0] = 0b0101'1010'0101'1010;  // Rows 0 to 3, all four columns.
  after.tiles()[0] = 0b0011'0011'1100'1100;
  EXPECT_EQ(ColumnFlipRate(before, after, {.v = 8, .m = 8}), 0);
  after.tiles()[7] = 0b0000'0000'0000'1000;  // Column 15, in row 4.
  EXPECT_EQ(ColumnFlipRate(before, after, {.v = 8, .m = 8}), 0.5);
  EXPECT_EQ(ColumnFlipRate(before, after, {.v = 4, .m = 8}), 0.25);
  EXPECT_EQ(ColumnFlipRate(Mask(0, 4), Mask(0, 4), {.v = 4, .m = 8}), 0);
}

TEST(ColumnFlipRateTest, RefusesWhatDoesNotFit) {
  EXPECT_ERROR(ColumnFlipRate(Mask(4, 8), Mask(8, 8), {}), ErrorKind::kInvalidInput,
               "ColumnFlipRate: masks of shape [4, 8] and [8, 8]");
  EXPECT_ERROR(ColumnFlipRate(Mask(4, 8), Mask(4, 8), {.m = 4}), ErrorKind::kInvalidInput,
               "V:N:M pattern 64:2:4: m is 4, expected 5 to 32");
}

}  // namespace
}  // namespace twofour::sparse
