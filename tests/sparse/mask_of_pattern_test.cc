#include "twofour/sparse/mask_of_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/vnm_pattern.h"

#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using test::PatternOf;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

double KeptSum(const Tensor& scores, const Mask& mask) {
  double sum = 0;
  for (int64_t row = 0; row < mask.rows(); ++row) {
    for (int64_t col = 0; col < mask.cols(); ++col) {
      if (mask.Keeps(row, col)) sum += std::abs(scores.data<float>()[row * mask.cols() + col]);
    }
  }
  return sum;
}

/// A small matrix whose entries are the bits of a number.
using Fits = std::function<bool(uint32_t kept, int64_t rows, int64_t cols)>;

int KeptOf(uint32_t kept, int64_t cols, int64_t top, int64_t bottom, int64_t left, int64_t right) {
  int count = 0;
  for (int64_t row = top; row < bottom; ++row) {
    for (int64_t col = left; col < right; ++col) count += kept >> (row * cols + col) & 1;
  }
  return count;
}

/// Of all masks that fit, what the best one keeps.
double BestSum(const Tensor& scores, const Fits& fits) {
  const int64_t rows = scores.dim(0), cols = scores.dim(1);
  double best = 0;
  for (uint32_t kept = 0; kept < 1u << (rows * cols); ++kept) {
    if (!fits(kept, rows, cols)) continue;
    double sum = 0;
    for (int64_t i = 0; i < rows * cols; ++i) sum += kept >> i & 1 ? std::abs(scores.data<float>()[i]) : 0.0f;
    best = std::max(best, sum);
  }
  return best;
}

Fits AtMostAlongRows(int n, int m) {
  return [=](uint32_t kept, int64_t rows, int64_t cols) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t left = 0; left < cols; left += m) {
        if (KeptOf(kept, cols, row, row + 1, left, std::min(left + m, cols)) > n) return false;
      }
    }
    return true;
  };
}

/// The masks of one whole tile.
Fits ExactlyBothWays(int n) {
  return [=](uint32_t kept, int64_t /*rows*/, int64_t cols) {
    for (int64_t i = 0; i < 4; ++i) {
      if (KeptOf(kept, cols, i, i + 1, 0, 4) != n || KeptOf(kept, cols, 0, 4, i, i + 1) != n) return false;
    }
    return true;
  };
}

Fits AtMostBothWays(int n) {
  return [=](uint32_t kept, int64_t rows, int64_t cols) {
    for (int64_t col = 0; col < cols; ++col) {
      for (int64_t top = 0; top < rows; top += 4) {
        if (KeptOf(kept, cols, top, std::min(top + 4, rows), col, col + 1) > n) return false;
      }
    }
    return AtMostAlongRows(n, 4)(kept, rows, cols);
  };
}

Fits ExactlyKept(int64_t count) {
  return [=](uint32_t kept, int64_t /*rows*/, int64_t /*cols*/) { return std::popcount(kept) == count; };
}

TEST(MaskOfPatternTest, KeepsTheMostOfAllMasksThatFit) {
  struct Case {
    const char* pattern;
    Shape shape;
    Fits fits;
  };
  const Case cases[] = {
      {"2:4", {2, 8}, AtMostAlongRows(2, 4)},
      {"2:4", {3, 6}, AtMostAlongRows(2, 4)},  // The last group has two columns.
      {"1:4", {2, 9}, AtMostAlongRows(1, 4)},
      {"3:8", {2, 8}, AtMostAlongRows(3, 8)},
      {"2:5", {2, 7}, AtMostAlongRows(2, 5)},
      {"transposable:2:4", {4, 4}, ExactlyBothWays(2)},
      {"transposable:1:4", {4, 4}, ExactlyBothWays(1)},
      {"transposable:3:4", {4, 4}, ExactlyBothWays(3)},
      {"unstructured:0.5", {3, 5}, ExactlyKept(7)},  // 7.5 are dropped, rounded up.
      {"unstructured:0.9", {4, 4}, ExactlyKept(2)},
      {"unstructured:0", {4, 4}, ExactlyKept(16)},
      {"unstructured:0.25:row",
       {3, 4},
       [](uint32_t kept, int64_t rows, int64_t cols) {
         for (int64_t row = 0; row < rows; ++row) {
           if (KeptOf(kept, cols, row, row + 1, 0, cols) != 3) return false;
         }
         return true;
       }},
      {"block:2x2:0.5",
       {4, 4},
       [](uint32_t kept, int64_t /*rows*/, int64_t cols) {
         int whole = 0;
         for (int64_t top : {0, 2}) {
           for (int64_t left : {0, 2}) {
             const int count = KeptOf(kept, cols, top, top + 2, left, left + 2);
             if (count != 0 && count != 4) return false;
             whole += count == 4;
           }
         }
         return whole == 2;
       }},
  };
  for (const Case& test : cases) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      SCOPED_TRACE(std::string(test.pattern) + " " + ToString(test.shape) + " " + std::to_string(seed));
      const Tensor scores = RandomF32(test.shape, {.seed = seed});
      const Mask mask = FindMaskOf(scores, PatternOf(test.pattern));
      uint32_t kept = 0;
      for (int64_t i = 0; i < scores.numel(); ++i) {
        if (mask.Keeps(i / mask.cols(), i % mask.cols())) kept |= 1u << i;
      }
      EXPECT_TRUE(test.fits(kept, mask.rows(), mask.cols()));
      EXPECT_NEAR(KeptSum(scores, mask), BestSum(scores, test.fits), 1e-5);
    }
  }
}

TEST(MaskOfPatternTest, TilesReachBeyondTheMatrix) {
  for (const Shape& shape : {Shape{3, 5}, Shape{5, 3}, Shape{1, 9}}) {
    const Tensor scores = RandomF32(shape, {.seed = 4});
    for (const int n : {1, 2, 3}) {
      const Mask mask = FindMaskOf(scores, {.format = {.kind = MaskFormat::Kind::kTransposable, .n = n, .m = 4}});
      // The same matrix inside one whose sizes divide.
      Tensor padded = Tensor::Zeros({8, 12});
      for (int64_t i = 0; i < scores.numel(); ++i) {
        padded.mutable_data<float>()[i / shape[1] * 12 + i % shape[1]] = scores.data<float>()[i];
      }
      const Mask whole = FindMaskOf(padded, {.format = {.kind = MaskFormat::Kind::kTransposable, .n = n, .m = 4}});
      uint32_t kept = 0;
      for (int64_t i = 0; i < scores.numel(); ++i) {
        const int64_t row = i / shape[1], col = i % shape[1];
        EXPECT_EQ(mask.Keeps(row, col), whole.Keeps(row, col));
        if (mask.Keeps(row, col)) kept |= 1u << i;
      }
      EXPECT_TRUE(AtMostBothWays(n)(kept, shape[0], shape[1]));
    }
  }
}

TEST(MaskOfPatternTest, OfEqualScoresTheFirstAreKept) {
  const Tensor equal = Tensor::Full({2, 4}, 1);
  const auto rows_of = [&](const std::string& pattern) {
    const Mask mask = FindMaskOf(equal, PatternOf(pattern));
    std::string text;
    for (int64_t i = 0; i < 8; ++i) text += mask.Keeps(i / 4, i % 4) ? '1' : '0';
    return text;
  };
  EXPECT_EQ(rows_of("unstructured:0.5"), "11110000");
  EXPECT_EQ(rows_of("unstructured:0.5:row"), "11001100");
  EXPECT_EQ(rows_of("unstructured:0.625"), "11100000");
  EXPECT_EQ(rows_of("block:1x2:0.5"), "11110000");
  EXPECT_EQ(rows_of("2:4"), "11001100");
  EXPECT_EQ(rows_of("1:3"), "10011001");
}

/// A budget is met to the entry, whatever the scores.
TEST(MaskOfPatternTest, MeetsItsBudget) {
  for (const double sparsity : {0.0, 0.1, 0.37, 0.5, 0.999}) {
    for (const bool constant : {false, true}) {
      Tensor scores = constant ? Tensor::Zeros({37, 53}) : RandomF32({37, 53}, {.seed = 3});
      const Mask mask = FindMaskOf(scores, PruningPattern::Unstructured(sparsity));
      EXPECT_EQ(37 * 53 - mask.CountKept(), std::llround(sparsity * 37 * 53));
      const Mask by_row = FindMaskOf(scores, PruningPattern::Unstructured(sparsity, PruningScope::kRow));
      EXPECT_EQ(37 * 53 - by_row.CountKept(), 37 * std::llround(sparsity * 53));
    }
  }
}

TEST(MaskOfPatternTest, BlocksAtTheEdgeAreSmaller) {
  // Blocks of 2 x 2 in 3 x 5: the last column of blocks is one wide, the last row one high. Means decide, not sums.
  Tensor scores = Tensor::Full({3, 5}, 1);
  scores.mutable_data<float>()[4] = scores.mutable_data<float>()[9] = 2;  // The edge block of rows 0 and 1.
  const Mask mask = FindMaskOf(scores, PruningPattern::Blocks(2, 2, 5.0 / 6));
  EXPECT_EQ(mask.CountKept(), 2);
  EXPECT_TRUE(mask.Keeps(0, 4) && mask.Keeps(1, 4));
}

TEST(MaskOfPatternTest, AScopeOfTheModelSpendsOneBudgetOnAllMatrices) {
  const std::vector<NamedScores> matrices = {{"a", F32({5, 1, 6, 2}, {2, 2})}, {"b", F32({3, 4, 7}, {1, 3})}};
  const std::vector<Mask> masks = FindMasksOf(matrices, PatternOf("unstructured:0.428571:model"));
  // The three smallest of seven go: 1, 2 and 3.
  EXPECT_EQ(masks[0].CountKept(), 2);
  EXPECT_TRUE(masks[0].Keeps(0, 0) && masks[0].Keeps(1, 0));
  EXPECT_EQ(masks[1].CountKept(), 2);
  EXPECT_FALSE(masks[1].Keeps(0, 0));
  const std::vector<Mask> by_layer = FindMasksOf(matrices, PatternOf("unstructured:0.5"));
  EXPECT_EQ(by_layer[0].CountKept(), 2);
  EXPECT_EQ(by_layer[1].CountKept(), 1);
  EXPECT_TRUE(FindMasksOf({}, PatternOf("unstructured:0.5:model")).empty());
}

TEST(MaskOfPatternTest, MasksOfEveryPatternAreOfAnySizeAndTheSameOnAllThreads) {
  for (const char* const pattern : {"2:4", "4:8", "5:32", "transposable:2:4", "transposable:3:4", "64:2:8",
                                    "rows:16:2:7", "unstructured:0.3", "unstructured:0.3:row", "block:16x8:0.5"}) {
    for (const Shape& shape : {Shape{1, 1}, Shape{7, 13}, Shape{130, 67}, Shape{128, 64}, Shape{0, 4}}) {
      SCOPED_TRACE(std::string(pattern) + " " + ToString(shape));
      const Tensor scores = RandomF32(shape, {.seed = 9});
      Mask expected;
      for (const int threads : {1, 2, 5}) {
        const ScopedNumThreads scope(threads);
        const Mask mask = FindMaskOf(scores, PatternOf(pattern));
        EXPECT_EQ(mask.rows(), shape[0]);
        EXPECT_EQ(mask.cols(), shape[1]);
        if (threads == 1) expected = mask;
        EXPECT_EQ(mask, expected);
      }
    }
  }
}

TEST(MaskOfPatternTest, RefusesScoresThatAreNotFinite) {
  Tensor scores = RandomF32({8, 8}, {.seed = 1});
  scores.mutable_data<float>()[10] = std::numeric_limits<float>::quiet_NaN();
  for (const char* const pattern : {"2:4", "3:5", "transposable:2:4", "transposable:1:4", "4:2:8", "unstructured:0.5",
                                    "unstructured:0.5:row", "block:4x4:0.5"}) {
    EXPECT_ERROR(FindMaskOf(scores, PatternOf(pattern), "fc.weight"), ErrorKind::kRuntimeFailure,
                 HasSubstr("fc.weight: element [1, 2] is nan"));
  }
  EXPECT_ERROR(FindMaskOf(Tensor::Zeros({2, 2, 2}), PatternOf("2:4")), ErrorKind::kInvalidInput,
               HasSubstr("[2, 2, 2]"));
  EXPECT_ERROR(FindMaskOf(Tensor::Zeros({2, 2}), {.format = MaskFormat::Dense()}), ErrorKind::kInvalidInput,
               HasSubstr("drops something"));
}

}  // namespace
}  // namespace twofour::sparse
