#include "twofour/sparse/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Zeros [rows, cols] with ones at the given places.
Tensor Ones(int64_t rows, int64_t cols, const std::vector<std::pair<int64_t, int64_t>>& places) {
  Tensor matrix = Tensor::Zeros({rows, cols});
  for (const auto& [row, col] : places) matrix.mutable_data<float>()[row * cols + col] = 1;
  return matrix;
}

TEST(FindPatternViolationTest, TwoInFourPass) {
  const Tensor matrix = F32({1, 2, 0, 0, 0, 3, 4, 0}, {1, 8});
  for (PatternAxis axis : {PatternAxis::kRows, PatternAxis::kColumns, PatternAxis::kBoth}) {
    EXPECT_FALSE(FindPatternViolation(matrix, axis)) << static_cast<int>(axis);
  }
}

TEST(FindPatternViolationTest, GroupsAreAligned) {
  // Three neighbours, but two of them in one group and one in the next.
  EXPECT_FALSE(FindPatternViolation(Ones(1, 8, {{0, 2}, {0, 3}, {0, 4}}), PatternAxis::kRows));
  EXPECT_FALSE(FindPatternViolation(Ones(8, 1, {{2, 0}, {3, 0}, {4, 0}}), PatternAxis::kColumns));
}

TEST(FindPatternViolationTest, RowsAndColumnsAreLookedAtApart) {
  const Tensor three_in_row = Ones(8, 8, {{5, 4}, {5, 6}, {5, 7}});
  EXPECT_FALSE(FindPatternViolation(three_in_row, PatternAxis::kColumns));
  for (PatternAxis axis : {PatternAxis::kRows, PatternAxis::kBoth}) {
    const auto violation = FindPatternViolation(three_in_row, axis);
    ASSERT_TRUE(violation);
    EXPECT_EQ(violation->axis, PatternAxis::kRows);
    EXPECT_EQ(violation->row, 5);
    EXPECT_EQ(violation->col, 4);
    EXPECT_EQ(violation->nonzeros, 3);
    EXPECT_EQ(violation->ToString(), "3 non-zero entries in row 5, columns 4 to 7; at most 2 are allowed");
  }
  const Tensor four_in_column = Ones(8, 8, {{4, 3}, {5, 3}, {6, 3}, {7, 3}});
  EXPECT_FALSE(FindPatternViolation(four_in_column, PatternAxis::kRows));
  for (PatternAxis axis : {PatternAxis::kColumns, PatternAxis::kBoth}) {
    const auto violation = FindPatternViolation(four_in_column, axis);
    ASSERT_TRUE(violation);
    EXPECT_EQ(violation->axis, PatternAxis::kColumns);
    EXPECT_EQ(violation->row, 4);
    EXPECT_EQ(violation->col, 3);
    EXPECT_EQ(violation->ToString(), "4 non-zero entries in column 3, rows 4 to 7; at most 2 are allowed");
  }
}

TEST(FindPatternViolationTest, TheFirstIsFound) {
  const Tensor matrix = Ones(8, 8, {{2, 4}, {2, 5}, {2, 6}, {3, 0}, {3, 1}, {3, 2}, {0, 7}, {1, 7}, {2, 7}});
  const auto rows_first = FindPatternViolation(matrix, PatternAxis::kBoth);
  ASSERT_TRUE(rows_first);
  EXPECT_EQ(rows_first->axis, PatternAxis::kRows);
  EXPECT_EQ(rows_first->row, 2);
  EXPECT_EQ(rows_first->col, 4);
  EXPECT_EQ(rows_first->nonzeros, 4);
  const auto column = FindPatternViolation(matrix, PatternAxis::kColumns);
  ASSERT_TRUE(column);
  EXPECT_EQ(column->row, 0);
  EXPECT_EQ(column->col, 7);
}

TEST(FindPatternViolationTest, MinusZeroIsZeroAndNanIsNot) {
  EXPECT_FALSE(FindPatternViolation(F32({1, -0.0f, -0.0f, 1}, {1, 4}), PatternAxis::kRows));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto violation = FindPatternViolation(F32({nan, 1e-45f, -0.0f, nan}, {1, 4}), PatternAxis::kRows);
  ASSERT_TRUE(violation);
  EXPECT_EQ(violation->nonzeros, 3);
}

TEST(FindPatternViolationTest, ShorterGroupsAtTheEdge) {
  EXPECT_FALSE(FindPatternViolation(F32({0, 0, 0, 0, 1, 1}, {1, 6}), PatternAxis::kBoth));
  const auto in_row = FindPatternViolation(F32({0, 0, 0, 0, 1, 1, 1}, {1, 7}), PatternAxis::kBoth);
  ASSERT_TRUE(in_row);
  EXPECT_EQ(in_row->ToString(), "3 non-zero entries in row 0, columns 4 to 6; at most 2 are allowed");
  const auto in_column = FindPatternViolation(F32({0, 0, 0, 0, 1, 1, 1}, {7, 1}), PatternAxis::kBoth);
  ASSERT_TRUE(in_column);
  EXPECT_EQ(in_column->ToString(), "3 non-zero entries in column 0, rows 4 to 6; at most 2 are allowed");
}

TEST(FindPatternViolationTest, EmptyMatricesPass) {
  EXPECT_FALSE(FindPatternViolation(Tensor::Zeros({0, 4}), PatternAxis::kBoth));
  EXPECT_FALSE(FindPatternViolation(Tensor::Zeros({4, 0}), PatternAxis::kBoth));
}

TEST(FindPatternViolationTest, RefusesWhatIsNoF32Matrix) {
  EXPECT_THAT([] { FindPatternViolation(Tensor::Zeros({8}), PatternAxis::kRows); },
              ThrowsMessage<Error>(HasSubstr("[8]")));
  EXPECT_THROW(FindPatternViolation(Tensor::Zeros({4, 4}, DType::kF64), PatternAxis::kRows), Error);
  EXPECT_THROW(FindPatternViolation(Tensor(), PatternAxis::kRows), Error);
}

}  // namespace
}  // namespace twofour::sparse
