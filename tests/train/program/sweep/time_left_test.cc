#include "twofour/train/program/sweep/time_left.h"

#include <gtest/gtest.h>

#include <vector>

namespace twofour::train {
namespace {

TEST(TimeLeftTest, KnowsNothingBeforeTheFirstRun) {
  EXPECT_EQ(TimeLeft().Estimate(std::vector<RunToCome>{{100}}, 1), std::nullopt);
}

TEST(TimeLeftTest, GoesByStepsAndByRunsAtOnce) {
  TimeLeft left;
  left.Add(100, 10);
  left.Add(300, 50);  // 0.15 seconds for each step.
  const std::vector<RunToCome> runs{{100}, {200}, {100}};
  EXPECT_DOUBLE_EQ(*left.Estimate(runs, 1), 60);
  EXPECT_DOUBLE_EQ(*left.Estimate(runs, 2), 30);
  EXPECT_DOUBLE_EQ(*left.Estimate(runs, 4), 30);  // The longest run.
}

TEST(TimeLeftTest, SubtractsWhatIsUnderWay) {
  TimeLeft left;
  left.Add(100, 10);
  EXPECT_DOUBLE_EQ(*left.Estimate(std::vector<RunToCome>{{100, 4}, {100, 0}}, 1), 16);
  EXPECT_DOUBLE_EQ(*left.Estimate(std::vector<RunToCome>{{100, 40}}, 1), 0);  // It is slower than expected.
}

}  // namespace
}  // namespace twofour::train
