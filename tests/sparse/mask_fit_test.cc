#include "twofour/sparse/mask_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::Optional;

Mask Found(const MaskPlan& plan, int64_t step = 0) {
  return plan.Find(RandomF32({16, 32}, {.seed = 3}), step, {1}, "w");
}

MaskPlan Rows(int keep, int of) { return MaskPlan({.method = MaskMethod::kRows, .rows = {keep, of}}); }

TEST(MaskFitTest, APlansOwnMasksFitAtEveryStepAtWhichItPrunes) {
  const SparsitySchedule linear({.shape = ScheduleShape::kLinear, .begin_step = 0, .end_step = 10});
  const std::vector<MaskPlan> plans = {
      MaskPlan(),
      MaskPlan({.method = MaskMethod::kGreedy}),
      MaskPlan({.method = MaskMethod::kSignedGreedy}),
      MaskPlan({.method = MaskMethod::kRandom}),
      Rows(2, 4),
      Rows(1, 4),
      Rows(4, 8),
      Rows(3, 8),
      MaskPlan({.schedule = linear}),
      MaskPlan({.method = MaskMethod::kRows, .schedule = linear}),
      MaskPlan({.stages = {{2, 3}, {5, 2}}}),
  };
  for (const MaskPlan& plan : plans) {
    for (const int64_t step : {0, 1, 2, 5, 9, 10, 20}) {
      if (plan.KeepsAll(step)) continue;
      EXPECT_EQ(WhyUnfit(Found(plan, step), plan, step), std::nullopt)
          << NameOf(plan.options().method) << " step " << step;
    }
  }
}

TEST(MaskFitTest, WhatIsAlsoOfThePatternFits) {
  EXPECT_EQ(WhyUnfit(Found(MaskPlan()), Rows(2, 4), 0), std::nullopt);
  EXPECT_EQ(WhyUnfit(Found(MaskPlan()), Rows(4, 8), 0), std::nullopt);
  EXPECT_EQ(WhyUnfit(Found(MaskPlan({.method = MaskMethod::kGreedy})), MaskPlan(), 0), std::nullopt);
}

TEST(MaskFitTest, AnotherPatternDoesNotFit) {
  EXPECT_THAT(WhyUnfit(Found(Rows(2, 4)), MaskPlan(), 0),
              Optional(HasSubstr("of 4 in a row or column of a tile, the")));
  EXPECT_THAT(WhyUnfit(Found(Rows(4, 8)), Rows(2, 4), 0), Optional(HasSubstr("of 4 along a row, the plan 2")));
  EXPECT_THAT(WhyUnfit(Found(Rows(2, 4)), Rows(1, 4), 0), Optional(HasSubstr("keeps 2 of 4 along a row, the plan 1")));
  EXPECT_THAT(WhyUnfit(Found(Rows(1, 4)), Rows(2, 4), 0), Optional(HasSubstr("keeps 25.0 % of what is pruned")));
  EXPECT_THAT(WhyUnfit(Found(MaskPlan()), MaskPlan({.stages = {{0, 3}}}), 0), Optional(HasSubstr("keeps 50.0 %")));
  EXPECT_THAT(WhyUnfit(Found(MaskPlan({.stages = {{0, 3}}})), MaskPlan(), 0), Optional(HasSubstr("keeps 3 of 4")));
}

TEST(MaskFitTest, WholeTilesFitWhereThePlanLeavesSomeWhole) {
  const MaskPlan half({.schedule = SparsitySchedule({.from = 0.5, .to = 0.5})});
  ASSERT_EQ(half.ShareAt(0), 0.5);
  EXPECT_EQ(WhyUnfit(Found(half), half, 0), std::nullopt);
  EXPECT_THAT(WhyUnfit(Found(half), MaskPlan(), 0), Optional(HasSubstr("keeps 4 of 4")));
  EXPECT_EQ(WhyUnfit(Found(MaskPlan()), half, 0), std::nullopt);
}

TEST(MaskFitTest, NoMaskFitsAtADenseStep) {
  const MaskPlan warmup({.first_sparse_step = 3});
  EXPECT_THAT(WhyUnfit(Found(MaskPlan()), warmup, 0), Optional(HasSubstr("at which the plan prunes nothing")));
  EXPECT_EQ(WhyUnfit(Found(MaskPlan()), warmup, 3), std::nullopt);
}

}  // namespace
}  // namespace twofour::sparse
