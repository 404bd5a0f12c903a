#include "twofour/nn/mask_kinds.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::MaskMethod;
using sparse::MaskPlanOptions;
using sparse::ScheduleShape;
using sparse::SparsitySchedule;
using test::RandomF32;

constexpr int64_t kSteps = 40, kTiles = 8;

std::string Named(const MaskKinds& kinds) {
  return std::string(kinds.whole ? "whole " : "") + (kinds.two_of_four ? "2:4 " : "") + (kinds.other ? "other" : "");
}

std::string Found(const SemiSparseOptions& options, int64_t first, int64_t last = kSteps) {
  return Named(FindMaskKinds(options, kTiles, first, last));
}

/// The kinds of masks that a layer of kTiles tiles really has when it is trained from step `first` on.
std::string Seen(const SemiSparseOptions& options, int64_t first) {
  SemiSparseLinear layer(RandomF32({8, 16}, {.seed = 1}), {}, options, "w");
  MaskKinds seen;
  for (int64_t step = first; step <= kSteps; ++step) {
    Tensor weight = layer.weight();
    FillUniform(weight, -1, 1, {.seed = 2, .step = static_cast<uint64_t>(step)});
    layer.SetOptimizerStep(step);
    const sparse::Mask& mask = layer.mask();
    (layer.runs_dense() ? seen.whole : !mask.FirstTileAboveTwoOfFour() ? seen.two_of_four : seen.other) = true;
  }
  return Named(seen);
}

SemiSparseOptions WithPlan(const MaskPlanOptions& plan) { return {.plan = sparse::MaskPlan(plan)}; }

/// Recipes of every kind, with random numbers from `seed`.
std::vector<SemiSparseOptions> Recipes(uint64_t seed) {
  RandomSequence random({seed, 0, 0});
  const auto number = [&random](int64_t end) { return static_cast<int64_t>(random.NextBits() % end); };
  const auto share = [&number] { return static_cast<double>(number(9)) / 8; };
  const int64_t begin = number(kSteps), end = begin + number(kSteps);
  std::vector<SemiSparseOptions> recipes;
  for (ScheduleShape shape : {ScheduleShape::kConstant, ScheduleShape::kLinear, ScheduleShape::kCubic,
                              ScheduleShape::kSmoothstep, ScheduleShape::kExponential, ScheduleShape::kCosine}) {
    const SparsitySchedule whole({.shape = shape, .begin_step = begin, .end_step = end, .rate = 1.0 + number(100)});
    const SparsitySchedule part({.shape = shape, .begin_step = begin, .end_step = end, .from = share(), .to = share()});
    for (const SparsitySchedule& schedule : {whole, part}) recipes.push_back(WithPlan({.schedule = schedule}));
  }
  const SparsitySchedule points({.shape = ScheduleShape::kPiecewise,
                                 .points = {{number(10), share()}, {10 + number(10), share()}, {20, share()}}});
  recipes.push_back(WithPlan({.schedule = points}));
  recipes.push_back(WithPlan({.method = MaskMethod::kGreedy, .schedule = points, .order = sparse::TileOrder::kRandom}));
  recipes.push_back(WithPlan({.stages = {{begin, 3}, {begin + 1 + number(20), 2}}}));
  recipes.push_back(WithPlan({.stages = {{begin, 1}}, .first_sparse_step = number(20), .dense_from_step = 30}));
  const size_t plain = recipes.size();
  for (size_t i = 0; i < plain; ++i) {
    recipes[i].freeze_step.reset();
    SemiSparseOptions frozen = recipes[i];
    frozen.freeze_step = number(kSteps);
    recipes.push_back(frozen);
  }
  return recipes;
}

TEST(MaskKindsTest, AreThoseThatALayerHasInTheCourseOfTraining) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::vector<SemiSparseOptions> recipes = Recipes(seed);
    for (size_t i = 0; i < recipes.size(); ++i) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", recipe " << i);
      for (int64_t first : {int64_t{0}, int64_t{15}}) {
        EXPECT_EQ(Found(recipes[i], first), Seen(recipes[i], first)) << "from " << first;
      }
    }
  }
}

TEST(MaskKindsTest, MasksOfRowsMayKeepMoreThanTwoOfFourAlongAColumn) {
  EXPECT_EQ(Found(WithPlan({.method = MaskMethod::kRows}), 0), "other");
  EXPECT_EQ(Found(WithPlan({.method = MaskMethod::kRows, .rows = {.keep = 4, .of = 4}}), 0), "whole ");
}

TEST(MaskKindsTest, AMaskStaysInForceForAnInterval) {
  SemiSparseOptions options =
      WithPlan({.schedule = SparsitySchedule({.shape = ScheduleShape::kLinear, .end_step = 20})});
  EXPECT_EQ(Found(options, 25), "2:4 ");
  options.interval = 10;
  EXPECT_EQ(Found(options, 25), "2:4 other");
  EXPECT_EQ(Found(options, 35), "2:4 ");
}

TEST(MaskKindsTest, LongRunsAreLookedAtNoLonger) {
  const int64_t steps = int64_t{1} << 50;
  const SparsitySchedule schedule({.shape = ScheduleShape::kExponential, .end_step = steps, .rate = 100});
  EXPECT_EQ(Found(WithPlan({.schedule = schedule}), 0, steps), "whole 2:4 other");
}

}  // namespace
}  // namespace twofour::nn
