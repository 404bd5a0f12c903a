#include "twofour/sparse/vnm_column_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "twofour/sparse/vnm_mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"
#include "tests/support/vnm_brute_force.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using ::testing::HasSubstr;

TEST(VnmColumnChoiceTest, HasNames) {
  EXPECT_EQ(NameOf(VnmColumnChoice::kSums), "sums");
  EXPECT_EQ(NameOf(VnmColumnChoice::kKept), "kept");
  EXPECT_EQ(NameOf(VnmColumnChoice::kExact), "exact");
}

/// Blocks at both edges are cut off: to fewer than four columns, and to more.
TEST(VnmColumnChoiceTest, ExactKeepsTheMostOfEachBlock) {
  for (const auto& [rows, cols, v, m] : {std::array{20, 19, 8, 8}, {7, 13, 4, 6}, {5, 17, 16, 9}, {9, 3, 4, 5}}) {
    for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
      const VnmPattern pattern{.v = v, .m = m, .inner = inner};
      SCOPED_TRACE(pattern.ToString());
      const Tensor scores = RandomF32({rows, cols}, {.seed = 4});
      const Mask mask = FindVnmMask(scores, pattern, "w", VnmColumnChoice::kExact);
      EXPECT_EQ(FindVnmViolation(mask.view(), pattern), std::nullopt);
      std::vector<double> magnitudes;
      for (const float score : scores.ToVector()) magnitudes.push_back(std::fabs(score));
      for (int64_t top = 0; top < rows; top += v) {
        for (int left = 0; left < cols; left += m) {
          const test::BruteForceBlock block{magnitudes.data() + top * cols + left, cols,
                                            std::min<int64_t>(v, rows - top), std::min(m, cols - left)};
          double most = 0, kept = 0;
          for (const uint32_t choice : block.Choices()) most = std::max(most, block.MostOf(choice, inner));
          for (int64_t row = top; row < top + block.rows; ++row) {
            for (int64_t col = left; col < left + block.cols; ++col) {
              if (mask.Keeps(row, col)) kept += magnitudes[static_cast<size_t>(row * cols + col)];
            }
          }
          EXPECT_NEAR(kept, most, 1e-5) << top << " " << left;
        }
      }
    }
  }
}

TEST(VnmColumnChoiceTest, EachKeepsMoreThanTheOneBefore) {
  const Tensor scores = RandomF32({128, 240}, {.seed = 6});
  for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
    for (const int m : {5, 8, 12, 16}) {
      const VnmPattern pattern{.v = 16, .m = m, .inner = inner};
      const auto kept = [&](VnmColumnChoice choice) {
        const Mask mask = FindVnmMask(scores, pattern, "w", choice);
        EXPECT_EQ(FindVnmViolation(mask.view(), pattern), std::nullopt);
        return RetainedL1(scores, mask);
      };
      const double sums = kept(VnmColumnChoice::kSums), by_kept = kept(VnmColumnChoice::kKept),
                   exact = kept(VnmColumnChoice::kExact);
      EXPECT_GT(by_kept, 1.003 * sums) << pattern.ToString();
      EXPECT_GE(exact, by_kept) << pattern.ToString();
      EXPECT_LT(exact, 1.002 * by_kept) << pattern.ToString();
    }
  }
}

TEST(VnmColumnChoiceTest, IsTheSameForAnyNumberOfThreads) {
  const Tensor scores = RandomF32({68, 700}, {.seed = 2});
  for (const VnmColumnChoice choice : {VnmColumnChoice::kSums, VnmColumnChoice::kKept, VnmColumnChoice::kExact}) {
    for (const VnmPattern& pattern : {VnmPattern{.v = 16, .m = 5}, {.v = 32, .m = 12, .inner = VnmInner::kRows}}) {
      const test::ScopedNumThreads one(1);
      const Mask expected = FindVnmMask(scores, pattern, "w", choice);
      const test::ScopedNumThreads three(3);
      EXPECT_EQ(FindVnmMask(scores, pattern, "w", choice), expected);
    }
  }
}

TEST(VnmColumnChoiceTest, ExactRefusesWideBlocks) {
  const Tensor scores = Tensor::Zeros({8, 34});
  EXPECT_ERROR(FindVnmMask(scores, {.m = 17}, "w", VnmColumnChoice::kExact), ErrorKind::kInvalidInput,
               "columns chosen by exact for 64:2:17: m is 17, expected at most 16");
  EXPECT_NO_THROW(FindVnmMask(scores, {.m = 16}, "w", VnmColumnChoice::kExact));
  EXPECT_NO_THROW(FindVnmMask(scores, {.m = 32}, "w", VnmColumnChoice::kKept));
}

TEST(VnmColumnChoiceTest, ScoresThatAreNotFiniteAreNamed) {
  Tensor scores = RandomF32({12, 40}, {.seed = 1});
  scores.mutable_data<float>()[7 * 40 + 19] = std::numeric_limits<float>::quiet_NaN();
  for (const VnmColumnChoice choice : {VnmColumnChoice::kKept, VnmColumnChoice::kExact}) {
    EXPECT_ERROR(FindVnmMask(scores, {.v = 4, .m = 12}, "c_fc.weight", choice), ErrorKind::kRuntimeFailure,
                 HasSubstr("c_fc.weight: element [7, 19]"));
  }
}

}  // namespace
}  // namespace twofour::sparse
