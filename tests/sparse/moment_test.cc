#include "twofour/sparse/moment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/sparse/mask_plan.h"
#include "twofour/sparse/schedule.h"

#include "tests/support/expect_error.h"

namespace twofour::sparse {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

size_t FaultsOf(const std::vector<Moment>& moments) {
  Faults faults("x: ");
  RisingMoments rising("after");
  for (size_t i = 0; i < moments.size(); ++i) rising.Check(moments[i], std::to_string(i), faults);
  return faults.count();
}

TEST(RisingMomentsTest, EachComesAfterTheOneBefore) {
  EXPECT_EQ(FaultsOf({}), 0u);
  EXPECT_EQ(FaultsOf({{0}, {1}, {7}}), 0u);
  EXPECT_EQ(FaultsOf({{3}, {3}}), 1u);
  EXPECT_EQ(FaultsOf({{3}, {2}, {4}}), 1u);
}

TEST(RisingMomentsTest, FractionsMayRiseWithinAStep) {
  EXPECT_EQ(FaultsOf({{3, 0.31}, {3, 0.32}}), 0u);
  EXPECT_EQ(FaultsOf({{3, 0.31}, {3, 0.31}}), 1u);
  EXPECT_EQ(FaultsOf({{3, 0.31}, {3}}), 1u);
  EXPECT_EQ(FaultsOf({{3}, {3, 0.32}}), 1u);
}

TEST(RisingMomentsTest, AMomentBeforeTheRunIsOneFaultAndComparedWithNone) {
  EXPECT_EQ(FaultsOf({{-1}}), 1u);
  EXPECT_EQ(FaultsOf({{5}, {-1}, {4}}), 1u);
  Faults faults = Faults::OfConfig();
  RisingMoments rising("a step after");
  faults.Close("b");
  rising.Check({5}, "a", faults);
  rising.Check({-1}, "b", faults);
  rising.Check({7}, "c", faults);
  rising.Check({6}, "d", faults);
  EXPECT_ERROR(faults.Throw(), ErrorKind::kInvalidInput, "config: d: step 6, expected a step after 7");
}

TEST(RisingMomentsTest, NoneIsComparedWithOneThatHasAFault) {
  EXPECT_EQ(FaultsOf({{9}, {5}, {4}, {6}}), 1u);
  EXPECT_EQ(FaultsOf({{9}, {5}, {4}, {3}}), 2u);
}

TEST(LeaveOutReplacedTest, OfOneStepTheLastStays) {
  std::vector<MaskStage> stages{{0, 4}, {2, 3, 0.1}, {2, 2, 0.11}, {5, 1}};
  LeaveOutReplaced(stages);
  EXPECT_THAT(stages, ElementsAre(Field(&MaskStage::keep, 4), Field(&MaskStage::keep, 2), Field(&MaskStage::keep, 1)));
}

TEST(LeaveOutReplacedTest, PlansAndSchedulesDoIt) {
  const MaskPlan plan({.stages = {{2, 3, 0.1}, {2, 2, 0.11}}, .nested_stages = true});
  EXPECT_THAT(plan.options().stages, ElementsAre(Field(&MaskStage::keep, 2)));
  const SparsitySchedule schedule(
      {.shape = ScheduleShape::kPiecewise, .points = {{0, 0}, {4, 0.5, 0.4}, {4, 0.75, 0.41}, {8, 1}}});
  EXPECT_EQ(schedule.options().points.size(), 3u);
  EXPECT_EQ(schedule.ShareAt(2), 0.375);
  EXPECT_EQ(schedule.ShareAt(4), 0.75);
}

}  // namespace
}  // namespace twofour::sparse
