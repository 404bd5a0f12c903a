#include "twofour/core/kernels/elements/reduce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::ScopedNumThreads;
using ::testing::ElementsAre;

/// Sizes around the blocks that sums are cut into, and some that are large enough for several threads.
const int64_t kSizes[] = {0, 1, 2, 8191, 8192, 8193, 16385, 100003};

template <typename T>
class ReduceTest : public ::testing::Test {
 protected:
  /// Small whole numbers, whose sums are exact in any order.
  static std::vector<T> Whole(int64_t n, uint32_t stream) {
    RandomSequence sequence({.seed = 5, .stream = stream});
    std::vector<T> values(static_cast<size_t>(n));
    for (T& value : values) value = static_cast<T>(static_cast<int>(sequence.Below(7)) - 3);
    return values;
  }
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(ReduceTest, Types);

TYPED_TEST(ReduceTest, ExactOnWholeNumbers) {
  for (const int64_t n : kSizes) {
    SCOPED_TRACE(n);
    const auto a = this->Whole(n, 1), b = this->Whole(n, 2);
    int64_t sum = 0, squares = 0, differences = 0, count = 0;
    for (int64_t i = 0; i < n; ++i) {
      const auto x = static_cast<int64_t>(a[i]), d = x - static_cast<int64_t>(b[i]);
      sum += x;
      squares += x * x;
      differences += d * d;
      count += x != 0;
    }
    EXPECT_EQ(Sum(n, a.data()), static_cast<double>(sum));
    EXPECT_EQ(SumOfSquares(n, a.data()), static_cast<double>(squares));
    EXPECT_EQ(SumOfSquaredDifferences(n, a.data(), b.data()), static_cast<double>(differences));
    EXPECT_EQ(CountNonZero(n, a.data()), count);
  }
}

TYPED_TEST(ReduceTest, ColumnSumsExactOnWholeNumbers) {
  for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 3}, {3, 0}, {1, 1}, {5, 255}, {5, 256}, {5, 257}, {7, 1031}, {3001, 1}, {300, 700}}) {
    SCOPED_TRACE(::testing::Message() << rows << " x " << cols);
    const auto matrix = this->Whole(rows * cols, 3);
    std::vector<TypeParam> expected(static_cast<size_t>(cols)), sums(static_cast<size_t>(cols), TypeParam{99});
    for (int64_t i = 0; i < rows * cols; ++i) expected[i % cols] += matrix[i];
    ColumnSums(rows, cols, matrix.data(), sums.data());
    EXPECT_EQ(sums, expected);
  }
}

TYPED_TEST(ReduceTest, SumsInDouble) {
  // 1 and 2^-30 do not add up in f32.
  const std::vector<TypeParam> x = {1, static_cast<TypeParam>(0x1p-30), -1};
  EXPECT_EQ(Sum<TypeParam>(3, x.data()), 0x1p-30);
  TypeParam sum;
  ColumnSums<TypeParam>(3, 1, x.data(), &sum);
  EXPECT_EQ(sum, static_cast<TypeParam>(0x1p-30));
}

TYPED_TEST(ReduceTest, CountsNanAndNotNegativeZero) {
  const std::vector<TypeParam> x = {0, TypeParam{-0.0}, std::nanf(""), 1, static_cast<TypeParam>(1e-40)};
  EXPECT_EQ(CountNonZero<TypeParam>(5, x.data()), 3);
}

TYPED_TEST(ReduceTest, SameBitsForAnyNumberOfThreads) {
  constexpr int64_t kRows = 331, kCols = 1031, kCount = kRows * kCols;
  const Tensor random =
      test::RandomF64({2, kCount}, {1}).To(std::is_same_v<TypeParam, float> ? DType::kF32 : DType::kF64);
  const TypeParam *a = random.data<TypeParam>(), *b = a + kCount;
  const auto results = [&](int threads) {
    const ScopedNumThreads scoped(threads);
    std::vector<TypeParam> columns(kCols);
    ColumnSums(kRows, kCols, a, columns.data());
    std::vector<double> all(columns.begin(), columns.end());
    all.insert(all.end(), {Sum(kCount, a), SumOfSquares(kCount, a), SumOfSquaredDifferences(kCount, a, b)});
    return all;
  };
  const std::vector<double> expected = results(1);
  for (const int threads : {2, 3, 7}) EXPECT_EQ(results(threads), expected) << threads << " threads";
}

}  // namespace
}  // namespace twofour::kernels
