#include "twofour/sparse/pattern_detection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/pruning_pattern.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using test::RandomAwayFromZero;

bool IsZero(const Tensor& matrix, int64_t row, int64_t col) {
  return matrix.data<float>()[row * matrix.dim(1) + col] == 0;
}

/// How many entries that are not zero lie in rows [top, bottom) and columns [left, right), cut off at the edges.
int64_t Count(const Tensor& matrix, int64_t top, int64_t bottom, int64_t left, int64_t right) {
  int64_t count = 0;
  for (int64_t row = top; row < std::min(bottom, matrix.dim(0)); ++row) {
    for (int64_t col = left; col < std::min(right, matrix.dim(1)); ++col) count += !IsZero(matrix, row, col);
  }
  return count;
}

/// The definition of V:N:M, counted block by block.
bool HoldsVnm(const Tensor& matrix, int v, int m, bool transposable) {
  for (int64_t left = 0; left < matrix.dim(1); left += m) {
    for (int64_t row = 0; row < matrix.dim(0); ++row) {
      if (Count(matrix, row, row + 1, left, left + m) > 2) return false;
    }
    for (int64_t top = 0; top < matrix.dim(0); top += v) {
      int64_t used = 0;
      for (int64_t col = left; col < left + m; ++col) used += Count(matrix, top, top + v, col, col + 1) > 0;
      if (used > 4) return false;
    }
    if (!transposable) continue;
    for (int64_t top = 0; top < matrix.dim(0); top += 4) {
      for (int64_t col = left; col < left + m; ++col) {
        if (Count(matrix, top, top + 4, col, col + 1) > 2) return false;
      }
    }
  }
  return true;
}

/// All patterns tried, the sparsest first.
std::optional<VnmPattern> VnmByBruteForce(const Tensor& matrix) {
  const int64_t rows = matrix.dim(0), cols = matrix.dim(1);
  if (rows < 4) return std::nullopt;
  for (int m = 32; m >= 5; --m) {
    for (int v = 256; v >= 4; v /= 2) {
      if (m > cols || (v > 4 && v / 2 >= rows) || !HoldsVnm(matrix, v, m, false)) continue;
      const bool transposable = HoldsVnm(matrix, v, m, true);
      return VnmPattern{.v = v, .m = m, .inner = transposable ? VnmInner::kTransposable : VnmInner::kRows};
    }
  }
  return std::nullopt;
}

std::optional<ZeroBlocks> BlocksByBruteForce(const Tensor& matrix) {
  const int64_t rows = matrix.dim(0), cols = matrix.dim(1);
  for (const int size : {64, 32, 16, 8, 4}) {
    if (size > rows || size > cols) continue;
    int64_t zero = 0, all = 0;
    for (int64_t row = 0; row < rows; row += size) {
      for (int64_t col = 0; col < cols; col += size, ++all) {
        zero += Count(matrix, row, row + size, col, col + size) == 0;
      }
    }
    bool whole = true;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        const int64_t top = row - row % size, left = col - col % size;
        if (IsZero(matrix, row, col)) whole = whole && Count(matrix, top, top + size, left, left + size) == 0;
      }
    }
    if (whole && 10 * zero >= all) return ZeroBlocks{size, static_cast<double>(zero) / static_cast<double>(all)};
  }
  return std::nullopt;
}

/// A matrix without zeros but those of a pattern.
Tensor Pruned(const char* pattern, int64_t rows, int64_t cols, uint32_t stream = 0) {
  const Tensor weight = RandomAwayFromZero({rows, cols}, {.seed = 7, .stream = stream}).To(DType::kF32);
  return ApplyMask(weight, FindMaskOf(weight, ParsePruningPattern(pattern, "test")));
}

constexpr const char* kPatterns[] = {"2:4",
                                     "1:4",
                                     "4:8",
                                     "transposable:2:4",
                                     "4:2:5",
                                     "8:2:8",
                                     "rows:16:2:12",
                                     "64:2:16",
                                     "rows:8:2:31",
                                     "256:2:32",
                                     "unstructured:0.5",
                                     "unstructured:0.9",
                                     "unstructured:0.99",
                                     "block:4x4:0.5",
                                     "block:8x8:0.3",
                                     "block:16x16:0.6",
                                     "block:32x32:0.5",
                                     "block:4x8:0.5"};

TEST(PatternDetectionTest, AgreesWithBruteForceOnRandomMasks) {
  uint32_t stream = 0;
  for (const char* const pattern : kPatterns) {
    for (const auto& [rows, cols] : {std::pair(64, 96), {70, 61}, {128, 64}, {3, 40}, {9, 4}, {17, 33}}) {
      SCOPED_TRACE(testing::Message() << pattern << " of [" << rows << ", " << cols << "]");
      const Tensor matrix = Pruned(pattern, rows, cols, stream++);
      EXPECT_EQ(FindVnmPattern(matrix), VnmByBruteForce(matrix));
      EXPECT_EQ(FindZeroBlocks(matrix), BlocksByBruteForce(matrix));
    }
  }
}

TEST(PatternDetectionTest, AgreesWithBruteForceNextToAPattern) {
  uint32_t stream = 100;
  for (const char* const pattern : kPatterns) {
    for (int trial = 0; trial < 6; ++trial) {
      SCOPED_TRACE(testing::Message() << pattern << ", " << trial);
      Tensor matrix = Pruned(pattern, 40, 64, stream);
      // One entry becomes zero, or one that was zero does not stay so.
      const Tensor where = test::RandomIndices({1}, 40 * 64, {.seed = 8, .stream = stream++});
      float& entry = matrix.mutable_data<float>()[where.data<int32_t>()[0]];
      entry = entry == 0 ? 1.0f : 0.0f;
      EXPECT_EQ(FindVnmPattern(matrix), VnmByBruteForce(matrix));
      EXPECT_EQ(FindZeroBlocks(matrix), BlocksByBruteForce(matrix));
    }
  }
}

TEST(PatternDetectionTest, FindsThePatternsThatMasksWereMadeWith) {
  EXPECT_EQ(FindVnmPattern(Pruned("64:2:8", 128, 96)), (VnmPattern{.v = 64, .m = 8}));
  EXPECT_EQ(FindVnmPattern(Pruned("rows:64:2:8", 128, 96)), (VnmPattern{.v = 64, .m = 8, .inner = VnmInner::kRows}));
  EXPECT_EQ(FindVnmPattern(Pruned("16:2:32", 128, 96)), (VnmPattern{.v = 16, .m = 32}));
  EXPECT_EQ(FindVnmPattern(Pruned("2:4", 128, 96)), std::nullopt);
  EXPECT_EQ(FindZeroBlocks(Pruned("block:16x16:0.5", 128, 96)), (ZeroBlocks{16, 0.5}));
  EXPECT_EQ(FindZeroBlocks(Pruned("block:64x64:0.5", 128, 128)), (ZeroBlocks{64, 0.5}));
  EXPECT_EQ(FindZeroBlocks(Pruned("unstructured:0.5", 128, 96)), std::nullopt);
}

TEST(PatternDetectionTest, ATenthOfTheBlocksIsEnough) {
  Tensor matrix = Tensor::Full({4, 40}, 1.0f);
  const auto drop = [&matrix](int64_t block) {
    for (int64_t row = 0; row < 4; ++row) {
      std::fill_n(matrix.mutable_data<float>() + row * 40 + 4 * block, 4, -0.0f);
    }
  };
  EXPECT_EQ(FindZeroBlocks(matrix), std::nullopt);
  drop(3);
  EXPECT_EQ(FindZeroBlocks(matrix), (ZeroBlocks{4, 0.1}));
  Tensor wider = Tensor::Full({4, 44}, 1.0f);
  for (int64_t row = 0; row < 4; ++row) std::fill_n(wider.mutable_data<float>() + row * 44, 4, 0.0f);
  EXPECT_EQ(FindZeroBlocks(wider), std::nullopt);  // One of eleven.
}

TEST(PatternDetectionTest, DenseZeroAndTinyMatrices) {
  EXPECT_EQ(FindVnmPattern(Tensor::Full({64, 64}, 1.0f)), std::nullopt);
  EXPECT_EQ(FindZeroBlocks(Tensor::Full({64, 64}, 1.0f)), std::nullopt);
  EXPECT_EQ(FindVnmPattern(Tensor::Zeros({100, 64})), (VnmPattern{.v = 128, .m = 32}));
  EXPECT_EQ(FindZeroBlocks(Tensor::Zeros({100, 64})), (ZeroBlocks{64, 1}));
  for (const Shape& shape : {Shape{0, 0}, Shape{0, 64}, Shape{64, 0}, Shape{3, 3}}) {
    EXPECT_EQ(FindVnmPattern(Tensor::Zeros(shape)), std::nullopt);
    EXPECT_EQ(FindZeroBlocks(Tensor::Zeros(shape)), std::nullopt);
  }
  Tensor nan = Tensor::Zeros({4, 4});
  nan.mutable_data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(FindZeroBlocks(nan), std::nullopt);
  EXPECT_THROW(FindVnmPattern(Tensor::Zeros({8})), Error);
  EXPECT_THROW(FindZeroBlocks(Tensor::Zeros({8, 8}, DType::kF64)), Error);
}

}  // namespace
}  // namespace twofour::sparse
