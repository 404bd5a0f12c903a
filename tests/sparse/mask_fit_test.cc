#include "twofour/sparse/mask_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/sparse/patterns.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::PatternOf;
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
      MaskPlan({.method = MaskMethod::kPattern, .pattern = PatternOf("unstructured:0.7")}),
      MaskPlan({.method = MaskMethod::kPattern, .pattern = PatternOf("unstructured:0.7:row"), .schedule = linear}),
      MaskPlan({.method = MaskMethod::kPattern, .pattern = PatternOf("block:3x5:0.4"), .schedule = linear}),
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

TEST(MaskFitTest, ABudgetIsNotOverspent) {
  const auto of = [](const char* text) {
    return MaskPlan({.method = MaskMethod::kPattern, .pattern = PatternOf(text)});
  };
  const Mask half = Found(of("unstructured:0.5"));
  EXPECT_THAT(WhyUnfit(half, of("unstructured:0.6"), 0),
              Optional(std::string("keeps 256 of 512 entries, the plan 205")));
  EXPECT_THAT(WhyUnfit(half, of("unstructured:0.3"), 0),
              Optional(HasSubstr("keeps 50.0 % of the weight, the plan 70.0 %")));
  EXPECT_THAT(WhyUnfit(half, of("unstructured:0.5:row"), 0),
              Optional(HasSubstr("of 32 entries of a row, the plan 16")));
  EXPECT_THAT(WhyUnfit(half, of("block:4x4:0.5"), 0), Optional(HasSubstr("keeps 32 of 32 blocks, the plan 16")));
  EXPECT_EQ(WhyUnfit(Found(of("block:4x4:0.5")), of("unstructured:0.5"), 0), std::nullopt);
  EXPECT_EQ(WhyKeepsTooMuch(half, of("unstructured:0.5")), std::nullopt);
  EXPECT_NE(WhyKeepsTooMuch(half, of("unstructured:0.51")), std::nullopt);
  // What a schedule asks for at its beginning is less.
  const SparsitySchedule linear({.shape = ScheduleShape::kLinear, .begin_step = 0, .end_step = 10});
  const MaskPlan rising({.method = MaskMethod::kPattern, .pattern = PatternOf("unstructured:0.8"), .schedule = linear});
  EXPECT_EQ(WhyKeepsTooMuch(half, rising), std::nullopt);
  EXPECT_EQ(WhyKeepsTooMuchAt(half, rising, 5), WhyKeepsTooMuchAt(half, of("unstructured:0.4"), 0));
  EXPECT_NE(WhyKeepsTooMuchAt(half, rising, 10), std::nullopt);
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
        EXPECT_EQ(WhyKeepsTooMuch(mask, plan), std::nullopt) << share << " " << seed;
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

/// A schedule over ten steps.
SparsitySchedule Ten(ScheduleShape shape, double from, double to, double rate = 5) {
  return SparsitySchedule({.shape = shape, .end_step = 10, .from = from, .to = to, .rate = rate});
}

TEST(MaskFitTest, AMaskOfAnyStepFitsThePlanAsAWhole) {
  const SparsitySchedule cosine({.shape = ScheduleShape::kCosine, .begin_step = 0, .end_step = 1'000'000'000});
  const SparsitySchedule corners({.shape = ScheduleShape::kPiecewise, .points = {{2, 0}, {5, 1}, {9, 0.5}}});
  const ScheduleShape exponential = ScheduleShape::kExponential;
  const std::vector<MaskPlan> plans = {
      MaskPlan(),
      MaskPlan({.method = MaskMethod::kRandom}),
      Rows(1, 4),
      Rows(3, 8),
      MaskPlan({.schedule = cosine}),
      MaskPlan({.method = MaskMethod::kRows, .schedule = corners}),
      // At this rate nearly all of the way is behind after one step, and a double shows none of the rest.
      MaskPlan({.schedule = Ten(exponential, 0, 1, 100)}),
      MaskPlan({.schedule = Ten(exponential, 0.2, 1, 100)}),
      MaskPlan({.schedule = Ten(exponential, 1, 0.2, 100)}),
      // A stage begins where the share has fallen all the way.
      MaskPlan({.schedule = Ten(ScheduleShape::kLinear, 1, 0.2), .stages = {{0, 2}, {10, 1}}}),
      MaskPlan({.schedule = Ten(ScheduleShape::kCubic, 0.3, 1), .first_sparse_step = 4}),
      MaskPlan({.stages = {{2, 3}, {5, 1}}}),
      MaskPlan({.stages = {{2, 3}, {5, 2}}, .nested_stages = true}),
      MaskPlan({.first_sparse_step = 3, .dense_from_step = 8}),
      MaskPlan({.method = MaskMethod::kGreedy, .first_sparse_step = 3}),
  };
  for (const MaskPlan& plan : plans) {
    for (const int64_t step : {0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 20, 500'000'000}) {
      EXPECT_EQ(WhyKeepsTooMuch(Found(plan, step), plan), std::nullopt)
          << NameOf(plan.options().method) << " step " << step;
    }
  }
}

TEST(MaskFitTest, WhatKeepsMoreThanAnyStepsMasksDoesNotFit) {
  EXPECT_THAT(WhyKeepsTooMuch(Constant(true), MaskPlan()), Optional(HasSubstr("keeps 4 of 4")));
  EXPECT_THAT(WhyKeepsTooMuch(Constant(true), Rows(1, 4)), Optional(HasSubstr("keeps 4 of 4 along a row, the plan 1")));
  // Stages give 3:4 and 2:4 masks and a dense one.
  const MaskPlan stages({.stages = {{0, 3}, {5, 2}}});
  EXPECT_EQ(WhyKeepsTooMuch(Found(stages, 0), stages), std::nullopt);
  EXPECT_EQ(WhyKeepsTooMuch(Found(MaskPlan()), stages), std::nullopt);
  EXPECT_THAT(WhyKeepsTooMuch(Found(Rows(2, 4)), stages), Optional(HasSubstr("in a row or column of a tile")));
  EXPECT_THAT(WhyKeepsTooMuch(Constant(true), stages), Optional(HasSubstr("the plan 2")));
  EXPECT_EQ(WhyKeepsTooMuch(Constant(true), MaskPlan({.stages = {{2, 3}}})), std::nullopt);
  EXPECT_EQ(WhyKeepsTooMuch(Constant(true), MaskPlan({.dense_from_step = 9})), std::nullopt);
  // What prunes anything is no mask of the dense steps.
  EXPECT_THAT(WhyKeepsTooMuch(Found(Rows(2, 4)), MaskPlan({.dense_from_step = 9})),
              Optional(HasSubstr("in a row or column of a tile, the plan 2")));
  const MaskPlan coarse({.method = MaskMethod::kVnm, .vnm = {.v = 16, .m = 16}, .first_sparse_step = 9});
  const MaskPlan fine({.method = MaskMethod::kVnm, .vnm = {.v = 4, .m = 8}});
  EXPECT_THAT(WhyKeepsTooMuch(Found(fine), coarse), Optional(HasSubstr("is not 16:2:16")));
}

TEST(MaskFitTest, AStepMayAskForLessThanAnother) {
  const MaskPlan stages({.stages = {{2, 3}, {5, 1}}});
  EXPECT_EQ(WhyKeepsTooMuchAt(Found(stages, 3), stages, 4), std::nullopt);
  EXPECT_THAT(WhyKeepsTooMuchAt(Found(stages, 3), stages, 5), Optional(HasSubstr("the plan 1")));
}

TEST(MaskFitTest, AMaskOfAPrunedWeightMayKeepLess) {
  EXPECT_EQ(WhyKeepsTooMuch(Constant(false), MaskPlan()), std::nullopt);
  EXPECT_EQ(WhyKeepsTooMuch(Constant(false), Rows(2, 4)), std::nullopt);
  EXPECT_EQ(WhyKeepsTooMuch(Found(Rows(1, 4)), Rows(2, 4)), std::nullopt);
  const MaskPlan dense({.schedule = SparsitySchedule({.from = 0, .to = 0})});
  EXPECT_EQ(WhyKeepsTooMuch(Found(MaskPlan()), dense), std::nullopt);
}

TEST(MaskFitTest, CountsGroupsOfAnySizeAlongRows) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{8, 12}, {5, 30}, {1, 7}}) {
    for (uint64_t seed = 1; seed < 6; ++seed) {
      Tensor kept = Tensor::Zeros({rows, cols}, DType::kBool);
      for (int64_t i = 0; i < kept.numel(); ++i) {
        kept.mutable_data<bool>()[i] = RandomF32({kept.numel()}, {.seed = seed}).data<float>()[i] > 0;
      }
      const Mask mask = Mask::FromTensor(kept);
      for (const int of : {2, 3, 4, 5, 8, 16}) {
        int most = 0;
        for (int64_t row = 0; row < rows; ++row) {
          for (int64_t begin = 0; begin < cols; begin += of) {
            int count = 0;
            for (int64_t col = begin; col < std::min(begin + of, cols); ++col) count += mask.Keeps(row, col) ? 1 : 0;
            most = std::max(most, count);
          }
        }
        for (int keep = 1; keep < of; ++keep) {
          EXPECT_EQ(WhyKeepsTooMuch(mask, Rows(keep, of)).has_value(), most > keep) << of << " " << keep;
        }
      }
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
