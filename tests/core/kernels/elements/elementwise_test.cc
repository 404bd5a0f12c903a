#include "twofour/core/kernels/elements/elementwise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "twofour/core/parallel.h"

// What the tests of the ops do not cover: writing over an input, and sizes on either side of the threshold for threads.
namespace twofour::kernels {
namespace {

using ::testing::ElementsAre;

template <typename T>
class ElementwiseTest : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(ElementwiseTest, Types);

TYPED_TEST(ElementwiseTest, OutputsMayBeTheInputs) {
  using T = TypeParam;
  std::vector<T> x = {-1, 2, 3};
  Add<T>(3, x.data(), x.data(), x.data());
  EXPECT_THAT(x, ElementsAre(-2, 4, 6));
  Mul<T>(3, x.data(), x.data(), x.data());
  EXPECT_THAT(x, ElementsAre(4, 16, 36));
  Scale<T>(3, T{-0.5}, x.data(), x.data());
  EXPECT_THAT(x, ElementsAre(-2, -8, -18));
  Axpy<T>(3, T{2}, x.data(), x.data());
  EXPECT_THAT(x, ElementsAre(-6, -24, -54));
  x = {-1, 2, 3};
  ReluSquared<T>(3, x.data(), x.data());
  EXPECT_THAT(x, ElementsAre(0, 4, 9));
  std::vector<T> dy = {5, 5, 5};
  ReluGrad<T>(3, x.data(), dy.data(), dy.data());
  EXPECT_THAT(dy, ElementsAre(0, 5, 5));
  ReluSquaredGrad<T>(3, x.data(), dy.data(), dy.data());
  EXPECT_THAT(dy, ElementsAre(0, 40, 90));
  x = {-1, 2, 3};
  Relu<T>(3, x.data(), x.data());
  EXPECT_THAT(x, ElementsAre(0, 2, 3));
}

TYPED_TEST(ElementwiseTest, EveryElementOnceAroundTheThreshold) {
  using T = TypeParam;
  for (const int64_t n : {kElementwiseGrain - 1, kElementwiseGrain, 2 * kElementwiseGrain, 3 * kElementwiseGrain + 7}) {
    std::vector<T> x(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(i);
    std::vector<T> y(x.size(), T{1});
    Axpy<T>(n, T{2}, x.data(), y.data());
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], static_cast<T>(2 * i + 1)) << "of " << n;
  }
}

TYPED_TEST(ElementwiseTest, AddRow) {
  using T = TypeParam;
  const std::vector<T> row = {1, 10};
  std::vector<T> matrix = {0, 1, 2, 3, 4, 5};
  AddRow<T>(3, 2, row.data(), matrix.data());
  EXPECT_THAT(matrix, ElementsAre(1, 11, 3, 13, 5, 15));
  AddRow<T>(0, 2, row.data(), nullptr);
  AddRow<T>(2, 0, nullptr, nullptr);
}

TYPED_TEST(ElementwiseTest, AddRowToATallMatrix) {
  using T = TypeParam;
  constexpr int64_t kRows = 20000, kCols = 3;
  const std::vector<T> row = {1, 2, 3};
  std::vector<T> matrix(kRows * kCols);
  AddRow<T>(kRows, kCols, row.data(), matrix.data());
  for (int64_t i = 0; i < kRows * kCols; ++i) ASSERT_EQ(matrix[i], row[i % kCols]) << i;
}

}  // namespace
}  // namespace twofour::kernels
