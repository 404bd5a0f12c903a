// How SemiSparseOptions change a SemiSparseLinear over time: dense phases, freezing, refresh steps.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/ops.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"

#include "tests/nn/load_buffers.h"
#include "tests/nn/recipe_layer.h"
#include "tests/support/expect_error.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::Mask;
using sparse::MaskMethod;
using sparse::MaskPlan;
using sparse::ScheduleShape;
using sparse::SparsitySchedule;
using test::kIn;
using test::kOut;
using test::LoadBuffers;
using test::MakeLayer;
using test::SoftOptions;
using test::Update;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using twofour::test::ExpectBitEqual;
using twofour::test::RandomF32;
using twofour::test::ScopedEnv;

Mask ExactMask(const Tensor& weight) { return sparse::FindMask(weight, sparse::MaskMethod::kExact); }

int64_t PrunedTiles(const Mask& mask) {
  int64_t count = 0;
  for (int64_t i = 0; i < mask.tile_rows() * mask.tile_cols(); ++i) count += mask.tiles()[i] != 0xffff;
  return count;
}

TEST(MaskGrowthTest, RefreshesAtThisShareOfAllStepsSoFar) {
  SemiSparseLinear layer = MakeLayer({.interval_growth = 0.1});
  std::vector<int64_t> refreshes;
  for (int64_t step = 0; step <= 100; ++step) {
    layer.SetOptimizerStep(step);
    layer.mask();
    const auto found_at = static_cast<int64_t>(layer.Buffers()[2].tensor.item());
    if (refreshes.empty() || found_at != refreshes.back()) refreshes.push_back(found_at);
    Update(layer, step);
  }
  std::vector<int64_t> expected;
  for (int64_t step = 0; step < 20; ++step) expected.push_back(step);
  for (const int64_t step : {21, 23, 25, 27, 29, 32, 35, 38, 42, 46, 51, 56, 62, 68, 75, 83, 92}) {
    expected.push_back(step);
  }
  EXPECT_EQ(refreshes, expected);
}

TEST(MaskGrowthTest, TheIntervalIsTheLeast) {
  SemiSparseLinear layer = MakeLayer({.interval = 5, .interval_growth = 0.5});
  std::vector<int64_t> refreshes;
  for (int64_t step = 0; step <= 60; ++step) {
    layer.SetOptimizerStep(step);
    const auto found_at = static_cast<int64_t>(layer.Buffers()[2].tensor.item());
    if (refreshes.empty() || found_at != refreshes.back()) refreshes.push_back(found_at);
    Update(layer, step);
  }
  EXPECT_THAT(refreshes, ElementsAre(0, 5, 10, 19, 37));  // 19 is the first with 19 - 10 >= floor(19 / 2).
}

TEST(MaskFreezeTest, TheMaskOfTheFreezeStepIsTheLast) {
  for (const int64_t freeze : {0, 1, 4}) {
    SemiSparseLinear layer = MakeLayer({.freeze_step = freeze});
    Mask last;
    for (int64_t step = 0; step < 9; ++step) {
      layer.SetOptimizerStep(step);
      EXPECT_EQ(layer.frozen(), step >= freeze);
      if (step <= freeze) last = ExactMask(layer.weight());
      EXPECT_EQ(layer.mask(), last) << "freeze " << freeze << ", step " << step;
      Update(layer, step);
      layer.Forward(RandomF32({2, kIn}, {.seed = 3}));
    }
    EXPECT_NE(last, ExactMask(layer.weight()));
  }
}

TEST(MaskFreezeTest, TheFreezeStepHasAMaskOfItsOwnWhateverTheInterval) {
  SemiSparseLinear layer = MakeLayer({.interval = 3, .freeze_step = 5});
  std::vector<int64_t> found;
  for (int64_t step = 0; step < 12; ++step) {
    layer.SetOptimizerStep(step);
    found.push_back(static_cast<int64_t>(layer.Buffers()[2].tensor.item()));
    Update(layer, step);
  }
  EXPECT_THAT(found, ElementsAre(0, 0, 0, 3, 3, 5, 5, 5, 5, 5, 5, 5));
}

TEST(MaskFreezeTest, WhatThePlanAsksOfTheFreezeStepIsDone) {
  // Each plan reaches its last state at the step at which masks freeze.
  const SparsitySchedule linear({.shape = ScheduleShape::kLinear, .begin_step = 0, .end_step = 4});
  const SparsitySchedule late({.shape = ScheduleShape::kConstant, .begin_step = 4});
  for (const MaskPlan& plan : {MaskPlan({.schedule = linear}), MaskPlan({.schedule = late}),
                               MaskPlan({.stages = {{2, 3}, {4, 2}}}), MaskPlan({.first_sparse_step = 4})}) {
    for (const int64_t interval : {1, 3}) {
      SemiSparseLinear layer = MakeLayer({.plan = plan, .interval = interval, .freeze_step = 4});
      for (int64_t step = 0; step < 4; ++step) {
        layer.SetOptimizerStep(step);
        layer.mask();
        Update(layer, step);
      }
      const Mask at_freeze = layer.mask();
      EXPECT_EQ(PrunedTiles(at_freeze), kOut * kIn / 16);
      EXPECT_EQ(at_freeze.CountKept(), kOut * kIn / 2);
      for (int64_t step = 4; step < 9; ++step) {
        Update(layer, step);
        EXPECT_EQ(layer.mask(), at_freeze) << step;
      }
    }
  }
}

TEST(MaskFreezeTest, ADenseFinishWins) {
  SemiSparseLinear layer = MakeLayer({.plan = MaskPlan({.dense_from_step = 6}), .freeze_step = 2});
  for (int64_t step = 0; step < 9; ++step) {
    layer.SetOptimizerStep(step);
    EXPECT_EQ(layer.mask().CountKept(), step < 6 ? kOut * kIn / 2 : kOut * kIn) << step;
    EXPECT_EQ(layer.runs_dense(), step >= 6) << step;
    Update(layer, step);
  }
}

/// Compares forward and backward of both, bit for bit.
void ExpectSameModule(Module& actual, Module& expected, int64_t in, int64_t out) {
  Tensor x = RandomF32({7, in}, {.seed = 4}), same_x = x.Clone();
  x.set_requires_grad();
  same_x.set_requires_grad();
  const Tensor dy = RandomF32({7, out}, {.seed = 5});
  const Tensor y = actual.Forward(x), expected_y = expected.Forward(same_x);
  ExpectBitEqual(y.Detach(), expected_y.Detach());
  y.Backward(dy);
  expected_y.Backward(dy);
  ExpectBitEqual(x.grad(), same_x.grad());
  const std::vector<Tensor> parameters = actual.Parameters(), same = expected.Parameters();
  ASSERT_EQ(parameters.size(), same.size());
  for (size_t i = 0; i < same.size(); ++i) ExpectBitEqual(parameters[i].grad(), same[i].grad());
}

TEST(DensePhaseTest, IsALinearBitForBit) {
  for (const SemiSparseOptions& options :
       {SemiSparseOptions{.plan = MaskPlan({.first_sparse_step = 3})}, SemiSparseOptions{.apply = false},
        SemiSparseOptions{.plan = MaskPlan({.method = MaskMethod::kRows, .first_sparse_step = 3}),
        .soft_threshold = true}}) {
    SemiSparseLinear layer = MakeLayer(options);
    Linear linear(layer.weight().Clone(), layer.bias().Clone());
    ExpectSameModule(layer, linear, kIn, kOut);
    EXPECT_TRUE(layer.runs_dense());
    EXPECT_EQ(layer.mask().CountKept(), options.apply ? kOut * kIn : kOut * kIn / 2);
  }
}

TEST(DensePhaseTest, AnMlpTakesTheDensePath) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const auto make = [] {
    Generator generator(3);
    return std::make_unique<Mlp>(MlpOptions{.in_features = 128, .hidden_features = 256, .out_features = 128},
                                 generator);
  };
  const std::unique_ptr<Mlp> dense = make(), warming_up = make();
  SwapLinearWithSemiSparseLinear(*warming_up, {.sparsity = {.plan = MaskPlan({.first_sparse_step = 1})}});
  ASSERT_NE(warming_up->FusedKernel(200), nullptr);
  ExpectSameModule(*warming_up, *dense, 128, 128);
  const Tensor x = RandomF32({200, 128}, {.seed = 6});
  ExpectBitEqual(warming_up->Forward(x).Detach(), dense->Forward(x).Detach());
  for (const auto& [name, layer] : FindSemiSparseLinears(*warming_up)) layer->SetOptimizerStep(1);
  EXPECT_NE(warming_up->Forward(x).ToVector(), dense->Forward(x).ToVector());
}

TEST(RecipeBuffersTest, AResumedLayerFindsTheSameMasks) {
  std::vector<SemiSparseOptions> recipes = {
      SoftOptions(),
      {.plan = MaskPlan({.schedule = SparsitySchedule({.shape = ScheduleShape::kCubic, .begin_step = 2, .end_step = 9}),
                         .order = sparse::TileOrder::kRandom}),
       .interval = 3,
       .key = {.seed = 4, .stream = 9}},
      {.plan = MaskPlan({.stages = {{3, 3}, {7, 2}}, .nested_stages = true}), .interval_growth = 0.5},
      {.plan = MaskPlan({.first_sparse_step = 3, .dense_from_step = 9}), .freeze_step = 5},
  };
  const Tensor x = RandomF32({5, kIn}, {.seed = 3});
  for (const SemiSparseOptions& options : recipes) {
    for (int64_t stop = 0; stop < 12; ++stop) {
      SemiSparseLinear whole = MakeLayer(options), resumed = MakeLayer(options, 50);
      for (int64_t step = 0; step < 14; ++step) {
        whole.SetOptimizerStep(step);
        whole.Forward(x);
        if (step == stop) {
          LoadStateDict(resumed, StateDict(whole), "checkpoint");
          resumed.SetOptimizerStep(step);
        }
        if (step >= stop) {
          ExpectBitEqual(resumed.Forward(x).Detach(), whole.Forward(x).Detach());
          EXPECT_EQ(resumed.mask(), whole.mask()) << "from " << stop << " at " << step;
          Update(resumed, step, 2);
        }
        Update(whole, step, 2);
      }
    }
  }
}

TEST(RecipeBuffersTest, ARestoredLayerRunsAsItDidBeforeAnybodyTellsTheStep) {
  // For example a program that loads a checkpoint only to inspect it.
  const Tensor x = RandomF32({5, kIn}, {.seed = 3});
  for (const SemiSparseOptions& options :
       {SemiSparseOptions{.plan = MaskPlan({.first_sparse_step = 3})},
        SemiSparseOptions{.plan = MaskPlan({.dense_from_step = 4})},
        SemiSparseOptions{.plan = MaskPlan({.stages = {{2, 3}, {4, 2}}})},
        SemiSparseOptions{.interval = 5, .masked_decay = {.lambda = 1, .place = MaskedDecay::Place::kWeight}}}) {
    SemiSparseLinear layer = MakeLayer(options), restored = MakeLayer(options, 50);
    for (int64_t step = 0; step < 9; ++step) {
      layer.SetOptimizerStep(step);
      layer.Forward(x);
      Update(layer, step, 2);
    }
    LoadStateDict(restored, StateDict(layer), "checkpoint");
    ExpectBitEqual(restored.Forward(x).Detach(), layer.Forward(x).Detach());
    EXPECT_EQ(restored.mask(), layer.mask());
  }
}

TEST(RecipeBuffersTest, AMaskThatComesWithoutItsStepIsTakenAsTheCurrentOne) {
  SemiSparseLinear layer = MakeLayer({.plan = MaskPlan({.first_sparse_step = 3})});
  layer.SetOptimizerStep(5);
  const Mask mask = layer.mask();
  for (const int64_t step : {0, 7}) {
    SemiSparseLinear other = MakeLayer({.plan = MaskPlan({.first_sparse_step = 3})}, 50);
    other.SetOptimizerStep(step);
    other.mask();
    LoadBuffers(other, {{"weight_mask", mask.ToTensor()}});
    EXPECT_EQ(other.mask(), mask) << step;
  }
}

TEST(IntervalTest, AScheduleMovesWhenAMaskIsSearchedFor) {
  const SparsitySchedule linear({.shape = ScheduleShape::kLinear, .begin_step = 0, .end_step = 12});
  SemiSparseLinear layer = MakeLayer({.plan = MaskPlan({.schedule = linear}), .interval = 4});
  std::vector<int64_t> found;
  for (int64_t step = 1; step < 12; ++step) {
    layer.SetOptimizerStep(step);
    found.push_back(static_cast<int64_t>(layer.Buffers()[2].tensor.item()));
    Update(layer, step);
  }
  EXPECT_THAT(found, ElementsAre(1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9));
}

TEST(FlipRateOfARecipeTest, IsZeroOnceMasksAreAtRest) {
  for (const SemiSparseOptions& options :
       {SemiSparseOptions{.freeze_step = 4}, SemiSparseOptions{.plan = MaskPlan({.dense_from_step = 4})},
        SemiSparseOptions{.interval = 2, .freeze_step = 4}}) {
    SemiSparseLinear layer = MakeLayer(options), resumed = MakeLayer(options, 50);
    for (int64_t step = 0; step < 8; ++step) {
      layer.SetOptimizerStep(step);
      layer.mask();
      LoadStateDict(resumed, StateDict(layer), "checkpoint");
      resumed.SetOptimizerStep(step);
      EXPECT_EQ(resumed.flip_rate(), layer.flip_rate()) << step;
      if (step == 4) {
        EXPECT_GT(layer.flip_rate(), 0.1);
      }
      if (step > 4) {
        EXPECT_EQ(layer.flip_rate(), 0) << step;
      }
      Update(layer, step);
    }
  }
}

TEST(RecipeBuffersTest, RefusesOtherTensors) {
  SemiSparseLinear layer = MakeLayer(SoftOptions()), without = MakeLayer({});
  const auto f64 = [](double value) { return Tensor::Scalar(value, DType::kF64); };
  for (const Tensor& bad : {f64(0), f64(-1), f64(1e300), f64(std::nan("")), Tensor::Scalar(1)}) {
    EXPECT_ERROR(LoadBuffers(layer, {{"weight_mask_scale", bad}}), ErrorKind::kInvalidInput,
                 "buffers: tensor 'weight_mask_scale': expected one f64 above 0 that f32 can hold");
  }
  EXPECT_ERROR(LoadBuffers(without, {{"weight_mask_scale", f64(1)}}), ErrorKind::kInvalidInput,
               "buffers: tensor 'weight_mask_scale': no such buffer");
}

TEST(SemiSparseOptionsTest, RefusesWhatMakesNoSense) {
  const auto expect = [](const SemiSparseOptions& options, const char* message) {
    EXPECT_ERROR(MakeLayer(options), ErrorKind::kInvalidInput, HasSubstr(message));
  };
  constexpr double kInf = std::numeric_limits<double>::infinity();
  expect({.interval_growth = -0.1}, "interval_growth is -0.1, expected 0 to 1");
  expect({.interval_growth = 1.5}, "interval_growth is 1.5, expected 0 to 1");
  expect({.interval_growth = std::nan("")}, "interval_growth is nan");
  expect({.freeze_step = -1}, "freeze_step is -1, expected at least 0");
  expect({.freeze_gradient = true}, "freeze_gradient without freeze_step, expected a step from which masks are frozen");
  expect({.masked_decay = {.lambda = -1}}, "masked_decay.lambda is -1, expected a finite number of at least 0");
  expect({.masked_decay = {.lambda = kInf}}, "masked_decay.lambda is inf");
  expect({.masked_decay = {.lambda = std::nan("")}}, "masked_decay.lambda is nan");
  expect({.masked_decay = {.lambda = 1e39}}, "masked_decay.lambda is 1e+39, expected at most 3.4e+38");
  expect({.soft_threshold = true}, "soft_threshold with masks of method exact, expected rows");
}

}  // namespace
}  // namespace twofour::nn
