#include "twofour/sparse/group_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kRows = PatternAxis::kRows, kColumns = PatternAxis::kColumns;

TEST(GroupPattern, CountsGroupsInEitherDirection) {
  const Tensor matrix = F32({1, 0,     0, 0, 7,  //
                             1, 2,     0, 0, 0,  //
                             1, 0,     0, 3, 0,  //
                             0, -0.0f, 0, 0, 0},
                            {4, 5});
  EXPECT_EQ(MostNonZerosOfAGroup(matrix, kRows, 4), 2);
  EXPECT_EQ(MostNonZerosOfAGroup(matrix, kRows, 5), 2);
  EXPECT_EQ(MostNonZerosOfAGroup(matrix, kColumns, 4), 3);
  EXPECT_EQ(MostNonZerosOfAGroup(matrix, kColumns, 2), 2);
  EXPECT_THAT(FindGroupPatterns(matrix, kRows), ElementsAre(GroupPattern{2, 4}));
  EXPECT_THAT(FindGroupPatterns(matrix, kColumns), ElementsAre(GroupPattern{3, 4}));
}

TEST(GroupPattern, ASmallerGroupImpliesLargerOnes) {
  std::vector<float> row(32, 0.0f);
  for (size_t group = 0; group < 8; ++group) row[4 * group] = row[4 * group + 3] = 1.0f;
  EXPECT_THAT(FindGroupPatterns(F32(row, {1, 32}), kRows), ElementsAre(GroupPattern{2, 4}));
  row[0] = 0;  // Seven of the first 16 and eight of the others: still only 2:4.
  EXPECT_THAT(FindGroupPatterns(F32(row, {1, 32}), kRows), ElementsAre(GroupPattern{2, 4}, GroupPattern{15, 32}));
  for (size_t group = 1; group < 8; group += 2) row[4 * group] = row[4 * group + 3] = 0.0f;
  EXPECT_THAT(FindGroupPatterns(F32(row, {1, 32}), kRows),
              ElementsAre(GroupPattern{2, 4}, GroupPattern{2, 8}, GroupPattern{7, 32}));
}

TEST(GroupPattern, SaysNothingOfADenseOrTinyMatrix) {
  EXPECT_THAT(FindGroupPatterns(F32({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4}), kRows), IsEmpty());
  EXPECT_THAT(FindGroupPatterns(F32({0, 0, 0, 0, 0, 0}, {2, 3}), kRows), IsEmpty());
  EXPECT_THAT(FindGroupPatterns(F32({}, {0, 4}), kRows), ElementsAre(GroupPattern{0, 4}));
  EXPECT_EQ(MostNonZerosOfAGroup(F32({std::numeric_limits<float>::quiet_NaN()}, {1, 1}), kRows, 4), 1);
  EXPECT_THROW(MostNonZerosOfAGroup(Tensor::Zeros({4}), kRows, 4), Error);
  EXPECT_THROW(MostNonZerosOfAGroup(Tensor::Zeros({4, 4}), kRows, 0), Error);
}

}  // namespace
}  // namespace twofour::sparse
