#include "twofour/sparse/mask_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "twofour/sparse/row_mask.h"

#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using enum MaskMethod;
using test::PatternOf;
using test::RandomF32;
using ::testing::HasSubstr;

const RandomKey kKey{.seed = 9, .stream = 3};

Mask FindAt(const MaskPlanOptions& options, const Tensor& weight, int64_t step = 0, const RandomKey& key = kKey) {
  return MaskPlan(options).Find(weight, step, key, "weight");
}

/// How many entries are kept in every row and column of every tile; -1 if the number differs.
int KeptInEachLine(const Mask& mask) {
  int kept = -2;
  for (int64_t i = 0; i < mask.tile_rows() * mask.tile_cols(); ++i) {
    for (int line = 0; line < 4; ++line) {
      int in_row = 0, in_col = 0;
      for (int other = 0; other < 4; ++other) {
        in_row += Keeps(mask.tiles()[i], line, other);
        in_col += Keeps(mask.tiles()[i], other, line);
      }
      if (kept == -2) kept = in_row;
      if (in_row != kept || in_col != kept) return -1;
    }
  }
  return kept;
}

bool Within(const Mask& inner, const Mask& outer) {
  for (int64_t i = 0; i < inner.tile_rows() * inner.tile_cols(); ++i) {
    if ((inner.tiles()[i] & ~outer.tiles()[i]) != 0) return false;
  }
  return true;
}

TEST(MaskPlanTest, WithoutOptionsIsTheExactMask) {
  const Tensor weight = RandomF32({32, 48}, {.seed = 1});
  EXPECT_EQ(MaskPlan().Find(weight, 7, kKey, "weight"), FindMask(weight, MaskMethod::kExact));
}

TEST(MaskPlanTest, PrunesTheScheduledShareAtEveryStep) {
  const Tensor weight = RandomF32({32, 64}, {.seed = 2});  // 128 tiles.
  for (const ScheduleShape shape : {ScheduleShape::kLinear, ScheduleShape::kCubic, ScheduleShape::kSmoothstep,
                                    ScheduleShape::kExponential, ScheduleShape::kCosine}) {
    for (const TileOrder order : {TileOrder::kLeastLoss, TileOrder::kRandom}) {
      const SparsitySchedule schedule({.shape = shape, .begin_step = 3, .end_step = 17});
      for (int64_t step = 0; step < 20; ++step) {
        const Mask mask = FindAt({.schedule = schedule, .order = order}, weight, step);
        const auto whole = std::count(mask.tiles(), mask.tiles() + 128, TileMask{0xffff});
        EXPECT_EQ(128 - whole, CountOfShare(schedule.ShareAt(step), 128)) << NameOf(shape) << " at " << step;
        for (int64_t i = 0; i < 128; ++i) EXPECT_TRUE(mask.tiles()[i] == 0xffff || CountKept(mask.tiles()[i]) == 8);
      }
    }
  }
}

TEST(MaskPlanTest, ABudgetIsSpentByTheSchedule) {
  const Tensor weight = RandomF32({10, 30}, {.seed = 2});
  const SparsitySchedule cubic({.shape = ScheduleShape::kCubic, .begin_step = 2, .end_step = 10});
  const MaskPlan plan({.method = kPattern, .pattern = PatternOf("unstructured:0.8"), .schedule = cubic});
  Mask before(10, 30);
  for (int64_t step = 0; step < 14; ++step) {
    // Zhu and Gupta's formula with an initial sparsity of 0.
    const double left = 1 - std::clamp(static_cast<double>(step - 2) / 8, 0.0, 1.0);
    const double sparsity = 0.8 * (1 - left * left * left);
    EXPECT_NEAR(plan.SparsityAt(step), sparsity, 1e-12);
    const Mask mask = plan.Find(weight, step, kKey, "w");
    EXPECT_EQ(300 - mask.CountKept(), std::llround(300 * sparsity)) << step;
    EXPECT_TRUE(step == 0 || Within(mask, before));
    before = mask;
  }
  EXPECT_EQ(plan.PatternAt(3), MaskFormat::Unstructured());
  EXPECT_TRUE(plan.KeepsAll(2));
  EXPECT_FALSE(plan.AlwaysTwoOfFour());
  EXPECT_FALSE(plan.AsksTheSame(4, 5));
}

TEST(MaskPlanTest, APatternIsTheSameAsItsOwnMethod) {
  const Tensor weight = RandomF32({64, 48}, {.seed = 5});
  const SparsitySchedule half({.shape = ScheduleShape::kConstant, .from = 0.5, .to = 0.5});
  const auto find = [&](const MaskPlanOptions& options) { return FindAt(options, weight); };
  const auto of = [](const char* text) { return MaskPlanOptions{.method = kPattern, .pattern = PatternOf(text)}; };
  EXPECT_EQ(find(of("transposable:2:4")), find({}));
  EXPECT_EQ(find(of("transposable:1:4")), find({.stages = {{0, 1}}}));
  EXPECT_EQ(find(of("4:8")), find({.method = kRows, .rows = {4, 8}}));
  EXPECT_EQ(find(of("32:2:8")), find({.method = kVnm, .vnm = {.v = 32, .m = 8}}));
  MaskPlanOptions scheduled = of("4:8");
  scheduled.schedule = half;
  EXPECT_EQ(find(scheduled), find({.method = kRows, .rows = {4, 8}, .schedule = half}));
  EXPECT_EQ(MaskPlan(of("transposable:1:4")).KeptOfFour(0), 1);
  EXPECT_EQ(MaskPlan(of("4:8")).SparsityAt(3), 0.5);
  EXPECT_EQ(MaskPlan(of("32:2:8")).SparsityAt(3), 0.75);
}

TEST(MaskPlanTest, RefusesPatternsThatAreNotForTraining) {
  const auto expect = [](const MaskPlanOptions& options, const char* message) {
    EXPECT_ERROR(MaskPlan{options}, ErrorKind::kInvalidInput, HasSubstr(message));
  };
  const SparsitySchedule linear({.shape = ScheduleShape::kLinear, .begin_step = 0, .end_step = 10});
  expect({.method = kPattern, .pattern = PatternOf("unstructured:0.5:model")}, "expected a scope within one weight");
  expect({.pattern = PatternOf("unstructured:0.5")}, "pattern is unstructured:0.5, expected none but for pattern");
  expect({.method = kPattern, .pattern = PatternOf("block:2x2:0.5"), .order = TileOrder::kRandom},
         "schedule.order is random, expected least_loss for a budget: there are no tiles");
  expect({.method = kPattern, .pattern = PatternOf("unstructured:0.5"), .stages = {{0, 2}}}, "stages given");
  expect({.method = kPattern, .pattern = PatternOf("64:2:8"), .schedule = linear},
         "schedule given, expected none beside 64:2:8");
  expect({.method = kPattern, .pattern = {.format = MaskFormat::Rows(9, 8)}}, "n is 9");
}

TEST(MaskPlanTest, NDecayIsTransposableAtEveryStage) {
  const Tensor weight = RandomF32({16, 32}, {.seed = 3});
  for (const bool nested : {false, true}) {
    const MaskPlanOptions options{.stages = {{10, 3}, {20, 2}, {25, 1}}, .nested_stages = nested};
    const MaskPlan plan(options);
    for (const auto& [step, keep] :
         std::map<int64_t, int>{{0, 4}, {9, 4}, {10, 3}, {19, 3}, {20, 2}, {25, 1}, {99, 1}}) {
      EXPECT_EQ(plan.KeptOfFour(step), keep);
      EXPECT_EQ(KeptInEachLine(plan.Find(weight, step, kKey, "weight")), keep) << step;
    }
    EXPECT_TRUE(plan.AsksTheSame(10, 19));
    EXPECT_FALSE(plan.AsksTheSame(19, 20));
  }
}

TEST(MaskPlanTest, KnowsItsLastChange) {
  const SparsitySchedule cubic({.shape = ScheduleShape::kCubic, .begin_step = 5, .end_step = 15});
  const std::vector<MaskPlanOptions> plans = {{},
                                              {.schedule = cubic},
                                              {.schedule = cubic, .first_sparse_step = 18},
                                              {.stages = {{2, 3}, {12, 2}}},
                                              {.schedule = cubic, .dense_from_step = 22}};
  std::vector<int64_t> found, expected;
  for (const MaskPlanOptions& options : plans) {
    const MaskPlan plan(options);
    found.push_back(plan.LastChange());
    int64_t last = 40;
    while (last > 0 && plan.AsksTheSame(last - 1, 40)) --last;
    expected.push_back(last);
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(found, (std::vector<int64_t>{0, 15, 18, 12, 22}));
  EXPECT_EQ(MaskPlan(plans.back()).SettlesAt(), 15);
}

TEST(MaskPlanTest, NestedStagesLieWithinEachOther) {
  const Tensor weight = RandomF32({64, 64}, {.seed = 4});
  const std::vector<MaskStage> stages{{10, 3}, {20, 2}};
  const MaskPlanOptions nested{.stages = stages, .nested_stages = true}, free{.stages = stages};
  EXPECT_TRUE(Within(FindAt(nested, weight, 20), FindAt(nested, weight, 10)));
  EXPECT_FALSE(Within(FindAt(free, weight, 20), FindAt(free, weight, 10)));  // Else the option does nothing.
  EXPECT_GT(RetainedL1(weight, FindAt(free, weight, 20)), RetainedL1(weight, FindAt(nested, weight, 20)));
}

TEST(MaskPlanTest, SignedGreedyDropsLargeNegativeWeights) {
  const Tensor weight = RandomF32({64, 64}, {.seed = 5});
  const Mask trap = FindAt({.method = kSignedGreedy}, weight), greedy = FindAt({.method = kGreedy}, weight);
  EXPECT_EQ(greedy, FindMask(weight, MaskMethod::kGreedy));
  EXPECT_LT(RetainedL1(weight, trap), 0.6);  // Hardly more than random masks retain.
  EXPECT_GT(RetainedL1(weight, greedy), RetainedL1(weight, trap) + 0.05);
  // If nothing is negative, both give the same mask.
  Tensor positive = weight.Clone();
  for (int64_t i = 0; i < positive.numel(); ++i) positive.mutable_data<float>()[i] = std::abs(weight.data<float>()[i]);
  EXPECT_EQ(FindAt({.method = kSignedGreedy}, positive), FindAt({.method = kGreedy}, positive));
}

TEST(MaskPlanTest, RandomMasksTakeAllNinetyAlike) {
  const Tensor weight = RandomF32({400, 360}, {.seed = 6});  // 9000 tiles.
  const Mask mask = FindAt({.method = kRandom}, weight);
  EXPECT_EQ(KeptInEachLine(mask), 2);
  std::map<TileMask, int> counts;
  for (int64_t i = 0; i < 9000; ++i) ++counts[mask.tiles()[i]];
  EXPECT_EQ(counts.size(), 90u);
  double chi_squared = 0;
  for (const auto& [tile, count] : counts) chi_squared += (count - 100.0) * (count - 100.0) / 100.0;
  EXPECT_LT(chi_squared, 150);  // 89 degrees of freedom: one in ten thousand is above 146.
  EXPECT_EQ(FindAt({.method = kRandom}, RandomF32({400, 360}, {.seed = 7}), 12), mask);
  EXPECT_NE(FindAt({.method = kRandom}, weight, 0, {.seed = 10, .stream = 3}), mask);
}

TEST(MaskPlanTest, RowsAreThoseOfFindRowMask) {
  const Tensor weight = RandomF32({16, 32}, {.seed = 8});
  EXPECT_EQ(FindAt({.method = kRows, .rows = {4, 8}}, weight), FindRowMask(weight, {4, 8}));
}

TEST(MaskPlanTest, RejectsStagesThatMakeNoSense) {
  const auto expect = [](const MaskPlanOptions& options, const char* message) {
    EXPECT_ERROR(MaskPlan{options}, ErrorKind::kInvalidInput, HasSubstr(message));
  };
  expect({.stages = {{10, 3}, {10, 2}}},
         "mask plan: stages[1].step is 10, expected a step after the stage before, which begins at 10");
  expect({.stages = {{-1, 3}}}, "mask plan: stages[0].step is -1, expected at least 0");
  expect({.stages = {{10, 2}, {20, 3}}},
         "mask plan: stages[1].keep is 3, expected 1: each stage keeps fewer than the one before");
  expect({.stages = {{10, 5}}}, "mask plan: stages[0].keep is 5, expected 1 to 4");
  expect({.stages = {{10, 0}}}, "mask plan: stages[0].keep is 0, expected 1 to 4");
  expect({.method = kGreedy, .stages = {{10, 3}}}, "greedy");
  expect({.method = kRows, .rows = {5, 4}}, "5:4");
}

TEST(MaskPlanTest, NoStageIsMeasuredAgainstOneThatHasAFault) {
  EXPECT_ERROR(MaskPlan({.stages = {{10, 0}, {20, 3}, {30, 2}}}), ErrorKind::kInvalidInput,
               "mask plan: stages[0].keep is 0, expected 1 to 4");
  EXPECT_ERROR(MaskPlan({.stages = {{10, 1}, {20, 3}, {30, 2}}}), ErrorKind::kInvalidInput,
               "mask plan: stages[1].keep is 3, expected no stage after one that keeps 1");
  EXPECT_ERROR(MaskPlan({.stages = {{30, 4}, {20, 3}, {10, 2}}}), ErrorKind::kInvalidInput,
               "mask plan: stages[1].step is 20, expected a step after the stage before, which begins at 30");
}

TEST(MaskPlanTest, RejectsWhatHasNoEffect) {
  EXPECT_ERROR(MaskPlan({.nested_stages = true}), ErrorKind::kInvalidInput,
               "mask plan: nested_stages is true, expected false without stages");
  EXPECT_ERROR(MaskPlan({.method = kGreedy, .rows = {1, 4}}), ErrorKind::kInvalidInput,
               "mask plan: rows is 1:4, expected none but for rows");
  EXPECT_NO_THROW(MaskPlan({.method = kRows, .rows = {1, 4}}));
}

TEST(MaskPlanTest, DensePhasesKeepEverything) {
  const Tensor weight = RandomF32({16, 32}, {.seed = 12});
  for (const MaskMethod method : {kExact, kGreedy, kSignedGreedy, kRandom, kRows}) {
    const MaskPlan plan({.method = method, .first_sparse_step = 10, .dense_from_step = 20});
    const Mask sparse = FindAt({.method = method}, weight);
    EXPECT_FALSE(plan.AlwaysTwoOfFour());
    for (int64_t step = 0; step < 25; ++step) {
      const bool dense = step < 10 || step >= 20;
      EXPECT_EQ(plan.KeepsAll(step), dense) << step;
      EXPECT_EQ(plan.ShareAt(step), dense ? 0.0 : 1.0) << step;
      const Mask mask = plan.Find(weight, step, kKey, "weight");
      if (dense) {
        EXPECT_EQ(mask.CountKept(), 16 * 32) << step;
      } else {
        EXPECT_EQ(mask, sparse) << step;
      }
    }
    EXPECT_TRUE(plan.AsksTheSame(0, 24));
    EXPECT_FALSE(plan.AsksTheSame(9, 10));
    EXPECT_FALSE(plan.AsksTheSame(19, 20));
  }
}

TEST(MaskPlanTest, AWindowWithoutAStepIsDenseThroughout) {
  const MaskPlan plan({.first_sparse_step = 5, .dense_from_step = 5});
  for (int64_t step = 0; step < 10; ++step) EXPECT_TRUE(plan.KeepsAll(step)) << step;
}

TEST(MaskPlanTest, TheScheduleCountsWithinTheWindowOnly) {
  const SparsitySchedule schedule({.shape = ScheduleShape::kLinear, .begin_step = 0, .end_step = 10});
  const MaskPlan plan({.schedule = schedule, .first_sparse_step = 4, .dense_from_step = 8});
  EXPECT_EQ(plan.ShareAt(3), 0.0);
  EXPECT_DOUBLE_EQ(plan.ShareAt(4), 0.4);  // The schedule does not wait for the warm-up.
  EXPECT_DOUBLE_EQ(plan.ShareAt(7), 0.7);
  EXPECT_EQ(plan.ShareAt(8), 0.0);
}

TEST(MaskPlanTest, KeepsAllWhereNothingIsPruned) {
  const MaskPlan plan(
      {.schedule = SparsitySchedule({.shape = ScheduleShape::kLinear, .begin_step = 5, .end_step = 9})});
  EXPECT_TRUE(plan.KeepsAll(5));
  EXPECT_FALSE(plan.KeepsAll(6));
  const MaskPlan stages({.stages = {{3, 4}, {6, 3}}});
  EXPECT_TRUE(stages.KeepsAll(0));
  EXPECT_TRUE(stages.KeepsAll(5));
  EXPECT_FALSE(stages.KeepsAll(6));
}

TEST(MaskPlanTest, NamesThePatternOfPrunedTiles) {
  for (const MaskMethod method : {kExact, kGreedy, kSignedGreedy, kRandom}) {
    EXPECT_EQ(MaskPlan({.method = method}).PatternAt(7), MaskFormat::TwoOfFour());
  }
  EXPECT_EQ(MaskPlan({.method = kRows, .rows = {1, 8}}).PatternAt(0), MaskFormat::Rows(1, 8));
  const MaskPlan stages({.stages = {{5, 3}, {10, 1}}});
  EXPECT_EQ(stages.PatternAt(4), (MaskFormat{MaskFormat::Kind::kTransposable, 4, 4}));
  EXPECT_EQ(stages.PatternAt(5), (MaskFormat{MaskFormat::Kind::kTransposable, 3, 4}));
  EXPECT_EQ(stages.PatternAt(10), (MaskFormat{MaskFormat::Kind::kTransposable, 1, 4}));
}

TEST(MaskPlanTest, SaysWhetherEveryMaskIsTwoOfFour) {
  const auto always = [](const MaskPlanOptions& options) { return MaskPlan(options).AlwaysTwoOfFour(); };
  const auto constant = [](int64_t begin, double to) {
    return SparsitySchedule({.shape = ScheduleShape::kConstant, .begin_step = begin, .to = to});
  };
  EXPECT_TRUE(always({}));
  EXPECT_TRUE(always({.method = kGreedy}));
  EXPECT_TRUE(always({.method = kSignedGreedy}));
  EXPECT_TRUE(always({.method = kRandom}));
  EXPECT_TRUE(always({.schedule = SparsitySchedule({.shape = ScheduleShape::kPiecewise, .points = {{0, 1}}})}));
  EXPECT_FALSE(always({.method = kRows}));
  EXPECT_FALSE(always({.schedule = constant(1, 1)}));
  EXPECT_FALSE(always({.schedule = constant(0, 0.5)}));
  EXPECT_FALSE(always({.schedule = SparsitySchedule({.shape = ScheduleShape::kLinear, .end_step = 5, .from = 1})}));
  EXPECT_FALSE(always({.stages = {{0, 2}}}));
  EXPECT_FALSE(always({.first_sparse_step = 1}));
  EXPECT_FALSE(always({.dense_from_step = 1000}));
}

TEST(MaskPlanTest, RejectsADenseFinishBeforeTheWarmUpEnds) {
  EXPECT_ERROR(MaskPlan({.first_sparse_step = 6, .dense_from_step = 5}), ErrorKind::kInvalidInput,
               HasSubstr("sparse from step 6 until step 5, expected 0 <= from <= until"));
  EXPECT_ERROR(MaskPlan({.first_sparse_step = -1}), ErrorKind::kInvalidInput, HasSubstr("from step -1"));
}

TEST(MaskPlanTest, NamesWhatIsNotFinite) {
  Tensor weight = RandomF32({8, 8}, {.seed = 11});
  weight.mutable_data<float>()[9] = std::numeric_limits<float>::infinity();
  for (const MaskMethod method : {kExact, kGreedy, kSignedGreedy, kRandom, kRows}) {
    EXPECT_ERROR(FindAt({.method = method}, weight), ErrorKind::kRuntimeFailure, HasSubstr("element [1, 1] is inf"));
  }
}

}  // namespace
}  // namespace twofour::sparse
