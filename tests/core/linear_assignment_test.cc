#include "twofour/core/linear_assignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/expect_error.h"

namespace twofour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Whole numbers from [-bound, bound], so that sums are exact; a small bound makes ties.
std::vector<double> WholeGains(int64_t size, uint32_t bound, uint64_t seed) {
  RandomSequence random({seed, 0, 0});
  std::vector<double> gains(static_cast<size_t>(size * size));
  for (double& gain : gains) gain = static_cast<double>(random.Below(2 * bound + 1)) - bound;
  return gains;
}

double SumOf(const std::vector<double>& gains, const std::vector<int64_t>& columns) {
  const auto size = static_cast<int64_t>(columns.size());
  double sum = 0;
  for (int64_t row = 0; row < size; ++row) sum += gains[static_cast<size_t>(row * size + columns[row])];
  return sum;
}

/// Each column once.
void ExpectPermutation(std::vector<int64_t> columns) {
  std::ranges::sort(columns);
  for (size_t i = 0; i < columns.size(); ++i) EXPECT_EQ(columns[i], static_cast<int64_t>(i));
}

TEST(LinearAssignmentTest, GainsWhatTheBestOfAllPermutationsGains) {
  for (int64_t size = 0; size <= 7; ++size) {
    for (const uint32_t bound : {1u, 3u, 1000u}) {
      for (uint64_t seed = 0; seed < 5; ++seed) {
        const std::vector<double> gains = WholeGains(size, bound, seed);
        const std::vector<int64_t> found = AssignForLargestGain(gains, size).column_of_row;
        ASSERT_EQ(static_cast<int64_t>(found.size()), size);
        ExpectPermutation(found);
        std::vector<int64_t> columns(static_cast<size_t>(size));
        std::iota(columns.begin(), columns.end(), 0);
        double best = -std::numeric_limits<double>::infinity();
        do {
          best = std::max(best, SumOf(gains, columns));
        } while (std::ranges::next_permutation(columns).found);
        EXPECT_EQ(SumOf(gains, found), best) << "size " << size << ", bound " << bound << ", seed " << seed;
      }
    }
  }
}

/// Prices bound the sum of every assignment from above. Where the bound is reached, no assignment gains more.
TEST(LinearAssignmentTest, PricesProveThatNothingIsBetter) {
  for (const int64_t size : {50, 120}) {
    for (const uint32_t bound : {2u, 1000000u}) {
      const std::vector<double> gains = WholeGains(size, bound, 7);
      const Assignment found = AssignForLargestGain(gains, size);
      ExpectPermutation(found.column_of_row);
      double prices = 0;
      for (int64_t row = 0; row < size; ++row) {
        prices += found.row_prices[row] + found.column_prices[row];
        for (int64_t column = 0; column < size; ++column) {
          EXPECT_LE(gains[static_cast<size_t>(row * size + column)],
                    found.row_prices[row] + found.column_prices[column]);
        }
      }
      EXPECT_EQ(SumOf(gains, found.column_of_row), prices);
    }
  }
}

TEST(LinearAssignmentTest, EqualGainsLeaveRowsInOrder) {
  EXPECT_THAT(AssignForLargestGain(std::vector<double>(16, 2.5), 4).column_of_row, ElementsAre(0, 1, 2, 3));
}

TEST(LinearAssignmentTest, RefusesWhatIsNoSquareOfFiniteGains) {
  EXPECT_ERROR(AssignForLargestGain(std::vector<double>(6), 2), ErrorKind::kInvalidInput,
               HasSubstr("6 gains, expected 2 x 2"));
  EXPECT_ERROR(AssignForLargestGain({}, -1), ErrorKind::kInvalidInput, HasSubstr("0 gains, expected -1 x -1"));
  EXPECT_ERROR(AssignForLargestGain(std::vector<double>{1, 2, std::numeric_limits<double>::quiet_NaN(), 4}, 2),
               ErrorKind::kInvalidInput, HasSubstr("row 1, column 0 is nan, expected a finite number"));
}

}  // namespace
}  // namespace twofour
