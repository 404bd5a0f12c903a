#include "twofour/sparse/row_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "twofour/sparse/pattern.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

TEST(RowMaskTest, KeepsTheLargestOfEveryGroup) {
  for (const auto& [keep, of] : {RowPattern{2, 4}, {1, 4}, {4, 8}, {2, 6}, {3, 3}, {1, 2}, {5, 32}, {32, 32}, {1, 1}}) {
    for (const auto& [rows, groups] : {std::pair{12, 4}, {5, 3}, {1, 1}, {6, 5}}) {
      const int64_t cols = groups * of;
      const Tensor weight = RandomF32({rows, cols}, {.seed = 1, .stream = static_cast<uint32_t>(of)});
      const std::vector<float> w = weight.ToVector();
      const Mask mask = FindRowMask(weight, {keep, of});
      EXPECT_EQ(mask.CountKept(), rows * groups * keep);
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t first = 0; first < cols; first += of) {
          int kept = 0;
          float least_kept = std::numeric_limits<float>::infinity(), most_dropped = 0;
          for (int64_t col = first; col < first + of; ++col) {
            const float magnitude = std::fabs(w[static_cast<size_t>(row * cols + col)]);
            if (mask.Keeps(row, col)) {
              ++kept;
              least_kept = std::min(least_kept, magnitude);
            } else {
              most_dropped = std::max(most_dropped, magnitude);
            }
          }
          EXPECT_EQ(kept, keep) << keep << ':' << of;
          EXPECT_GE(least_kept, most_dropped) << keep << ':' << of;
        }
      }
    }
  }
}

TEST(RowMaskTest, TwoOfFourIsTwoOfFourAlongRowsOnly) {
  const Tensor weight = RandomF32({32, 32}, {.seed = 2});
  const Mask mask = FindRowMask(weight, {});
  EXPECT_EQ(FindPatternViolation(ApplyMask(weight, mask), PatternAxis::kRows), std::nullopt);
  EXPECT_NE(mask.FirstTileAboveTwoOfFour(), std::nullopt);
  // More is retained than under a rule that also restricts columns.
  EXPECT_GT(RetainedL1(weight, mask), RetainedL1(weight, FindMask(weight, MaskMethod::kExact)));
}

TEST(RowMaskTest, OfEqualsTheFirstAreKept) {
  const Mask mask = FindRowMask(Tensor::Full({4, 8}, -1), {2, 4});
  for (int64_t col = 0; col < 8; ++col) EXPECT_EQ(mask.Keeps(3, col), col % 4 < 2);
}

TEST(RowMaskTest, TheLastGroupMayBeShorter) {
  const Tensor weight = Tensor::FromVector<float>({1, -2, 3, -4, 5, 6, 7, 1, 2, 3, 4, 9, 8, 7}, {2, 7});
  const Mask mask = FindRowMask(weight, {2, 5});
  const std::vector<bool> expected = {false, false, false, true, true, true, true,
                                      false, false, false, true, true, true, true};
  for (int64_t i = 0; i < 14; ++i) EXPECT_EQ(mask.Keeps(i / 7, i % 7), expected[static_cast<size_t>(i)]) << i;
}

TEST(RowMaskTest, IsTheSameForAnyNumberOfThreads) {
  const Tensor weight = RandomF32({128, 512}, {.seed = 3});
  const ScopedNumThreads one(1);
  const Mask mask = FindRowMask(weight, {4, 8});
  for (const int threads : {2, 3}) {
    const ScopedNumThreads more(threads);
    EXPECT_EQ(FindRowMask(weight, {4, 8}), mask);
  }
}

TEST(RowMaskTest, RejectsWhatDoesNotFit) {
  const Tensor weight = RandomF32({8, 24}, {.seed = 4});
  const auto expect = [&](const RowPattern& pattern, const char* message) {
    EXPECT_ERROR(FindRowMask(weight, pattern, "c_fc"), ErrorKind::kInvalidInput, HasSubstr(message));
  };
  expect({5, 4}, "5:4");
  expect({0, 4}, "0:4");
  expect({2, 33}, "2:33");
  EXPECT_ERROR(FindRowMask(RandomF32({24}, {.seed = 4}), {}, "c_fc"), ErrorKind::kInvalidInput,
               HasSubstr("c_fc: shape [24], a mask needs [rows, cols]"));
  Tensor broken = weight.Clone();
  broken.mutable_data<float>()[25] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(FindRowMask(broken, {}, "c_fc"), ErrorKind::kRuntimeFailure, HasSubstr("c_fc: element [1, 1]"));
}

}  // namespace
}  // namespace twofour::sparse
