#include "bench/support/difference.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/support/tensors.h"

namespace twofour::bench {
namespace {

TEST(ElementDifference, IsAShareOfTheLargestElement) {
  const Tensor expected = test::F32({1, -4, 2, 0}, {2, 2});
  EXPECT_EQ(ElementDifference(expected, expected), 0);
  EXPECT_EQ(ElementDifference(test::F32({1, -4, 3, 0}, {2, 2}), expected), 0.25);
  EXPECT_EQ(ElementDifference(test::F32({1, -4, NAN, 0}, {2, 2}), expected), INFINITY);
}

TEST(RowDifference, IsAShareOfTheRowsNorm) {
  const Tensor expected = test::F32({300, 400, 3, 4}, {2, 2});
  EXPECT_EQ(RowDifference(expected, expected), 0);
  // The small row counts by itself, but with a hundredth of the mean norm added to its own.
  const double small = 0.01 * std::hypot(500, 5) / std::sqrt(2);
  EXPECT_NEAR(RowDifference(test::F32({300, 400, 3, 5}, {2, 2}), expected), 1 / (5 + small), 1e-9);
  EXPECT_NEAR(RowDifference(test::F32({303, 404, 3, 4}, {2, 2}), expected), 5 / (500 + small), 1e-9);
}

TEST(RowDifference, ScalesWithTheOperands) {
  const Tensor expected = test::F32({3, 4}, {2}), actual = test::F32({3, 4.5}, {2});
  const Tensor large = test::F32({3072, 4096}, {2});
  EXPECT_NEAR(RowDifference(test::F32({3072, 4608}, {2}), large), RowDifference(actual, expected), 1e-9);
}

TEST(RowDifference, IsInfiniteForANaN) {
  const Tensor expected = test::F32({3, 4, 0, 0}, {2, 2});
  EXPECT_EQ(RowDifference(test::F32({3, 4, NAN, 0}, {2, 2}), expected), INFINITY);
  EXPECT_EQ(RowDifference(test::F32({0, 0, 0, 0}, {2, 2}), Tensor::Zeros({2, 2})), 0);
}

}  // namespace
}  // namespace twofour::bench
