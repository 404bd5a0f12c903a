#include "twofour/train/parallel/owners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

double Most(const std::vector<double>& costs, const std::vector<int>& owners, int ranks) {
  std::vector<double> loads(static_cast<size_t>(ranks));
  for (size_t i = 0; i < costs.size(); ++i) loads[static_cast<size_t>(owners[i])] += costs[i];
  return *std::ranges::max_element(loads);
}

/// The least that the most loaded rank can have, by trying everything.
double Best(const std::vector<double>& costs, int ranks) {
  std::vector<int> owners(costs.size());
  double best = INFINITY;
  while (true) {
    best = std::min(best, Most(costs, owners, ranks));
    size_t i = 0;
    while (i < owners.size() && ++owners[i] == ranks) owners[i++] = 0;
    if (i == owners.size()) return best;
  }
}

TEST(AssignOwnersTest, CostliestFirstToWhoHasLeast) {
  EXPECT_THAT(AssignOwners({1, 5, 3, 3}, 2), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(AssignOwners({2, 2, 2}, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(AssignOwners({0, 0}, 2), ElementsAre(0, 0));
  EXPECT_THAT(AssignOwners({}, 2), IsEmpty());
}

TEST(AssignOwnersTest, IsAtMostAThirdAboveTheBestChoice) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> cost(0, 1);
  for (int round = 0; round < 50; ++round) {
    const int ranks = 2 + round % 2;
    std::vector<double> costs(8);
    for (double& each : costs) each = cost(random);
    EXPECT_LE(Most(costs, AssignOwners(costs, ranks), ranks), 4.0 / 3 * Best(costs, ranks));
  }
}

}  // namespace
}  // namespace twofour::train
