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

TEST(MaskFitTest, GroupsOfSeveralTilesMayKeepTheirEntriesInWholeOnes) {
  for (const TileOrder order : {TileOrder::kLeastLoss, TileOrder::kRandom}) {
    for (const double share : {0.02, 0.3, 0.9}) {
      const MaskPlan plan({.method = MaskMethod::kRows,
                           .rows = {1, 16},
                           .schedule = SparsitySchedule({.from = share, .to = share}),
                           .order = order});
      for (uint64_t seed = 1; seed < 20; ++seed) {
        const Mask mask = plan.Find(RandomF32({16, 32}, {.seed = seed}), 0, {seed}, "w");
        EXPECT_EQ(WhyUnfit(mask, plan, 0), std::nullopt) << share << " " << seed;
        EXPECT_EQ(WhyNeverFit(mask, plan), std::nullopt) << share << " " << seed;
      }
    }
  }
}

TEST(MaskFitTest, NoMaskFitsAtADenseStep) {
  const MaskPlan warmup({.first_sparse_step = 3});
  EXPECT_THAT(WhyUnfit(Found(MaskPlan()), warmup, 0), Optional(HasSubstr("at which the plan prunes nothing")));
  EXPECT_EQ(WhyUnfit(Found(MaskPlan()), warmup, 3), std::nullopt);
}

/// A mask that keeps all, or nothing.
Mask Constant(bool kept) { return Mask::FromTensor(Tensor::Full({16, 32}, kept ? 1 : 0, DType::kBool)); }

TEST(MaskFitTest, AMaskOfAnyStepFitsThePlanAsAWhole) {
  const SparsitySchedule cosine({.shape = ScheduleShape::kCosine, .begin_step = 0, .end_step = 1'000'000'000});
  const SparsitySchedule corners({.shape = ScheduleShape::kPiecewise, .points = {{2, 0}, {5, 1}, {9, 0.5}}});
  const std::vector<MaskPlan> plans = {
      MaskPlan(),
      MaskPlan({.method = MaskMethod::kRandom}),
      Rows(1, 4),
      Rows(3, 8),
      MaskPlan({.schedule = cosine}),
      MaskPlan({.method = MaskMethod::kRows, .schedule = corners}),
      MaskPlan({.stages = {{2, 3}, {5, 1}}}),
      MaskPlan({.stages = {{2, 3}, {5, 2}}, .nested_stages = true}),
      MaskPlan({.first_sparse_step = 3, .dense_from_step = 8}),
      MaskPlan({.method = MaskMethod::kGreedy, .first_sparse_step = 3}),
  };
  for (const MaskPlan& plan : plans) {
    for (const int64_t step : {0, 1, 2, 3, 4, 5, 6, 8, 9, 20, 500'000'000}) {
      EXPECT_EQ(WhyNeverFit(Found(plan, step), plan), std::nullopt)
          << NameOf(plan.options().method) << " step " << step;
      EXPECT_EQ(WhyKeepsTooMuch(Found(plan, step), plan), std::nullopt);
    }
  }
}

TEST(MaskFitTest, WhatNoStepOfAPlanMakesDoesNotFit) {
  EXPECT_THAT(WhyNeverFit(Constant(true), MaskPlan()), Optional(HasSubstr("keeps 4 of 4")));
  EXPECT_THAT(WhyNeverFit(Constant(true), Rows(1, 4)), Optional(HasSubstr("keeps 4 of 4 along a row, the plan 1")));
  EXPECT_THAT(WhyNeverFit(Constant(false), MaskPlan()), Optional(HasSubstr("keeps 0.0 % of what is pruned")));
  EXPECT_THAT(WhyNeverFit(Constant(false), Rows(2, 4)), Optional(HasSubstr("keeps 0.0 % of what is pruned")));
  EXPECT_THAT(WhyNeverFit(Found(Rows(1, 4)), Rows(2, 4)), Optional(HasSubstr("keeps 25.0 %")));
  // Stages give 3:4 and 2:4 masks and a dense one, and nothing else.
  const MaskPlan stages({.stages = {{2, 3}, {5, 2}}});
  EXPECT_EQ(WhyNeverFit(Constant(true), stages), std::nullopt);
  EXPECT_EQ(WhyNeverFit(Found(MaskPlan()), stages), std::nullopt);
  EXPECT_NE(WhyNeverFit(Found(MaskPlan({.stages = {{0, 1}}})), stages), std::nullopt);
  EXPECT_NE(WhyNeverFit(Found(Rows(2, 4)), stages), std::nullopt);
  // A plan that never prunes makes dense masks only.
  const MaskPlan dense({.schedule = SparsitySchedule({.from = 0, .to = 0})});
  EXPECT_EQ(WhyNeverFit(Constant(true), dense), std::nullopt);
  EXPECT_THAT(WhyNeverFit(Found(MaskPlan()), dense), Optional(HasSubstr("the plan prunes nothing")));
}

TEST(MaskFitTest, AMaskOfAPrunedWeightMayKeepLess) {
  EXPECT_EQ(WhyKeepsTooMuch(Constant(false), MaskPlan()), std::nullopt);
  EXPECT_EQ(WhyKeepsTooMuch(Found(Rows(1, 4)), Rows(2, 4)), std::nullopt);
  EXPECT_THAT(WhyKeepsTooMuch(Constant(true), Rows(1, 4)), Optional(HasSubstr("keeps 4 of 4 along a row")));
  EXPECT_EQ(WhyKeepsTooMuch(Constant(true), MaskPlan({.dense_from_step = 9})), std::nullopt);
}

}  // namespace
}  // namespace twofour::sparse
