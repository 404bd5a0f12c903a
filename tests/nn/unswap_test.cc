// SwapSemiSparseLinearWithLinear.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"
#include "twofour/sparse/pattern.h"

#include "tests/nn/swapped_stack.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(UnswapTest, WithoutTheMaskTheDenseWeightsComeBack) {
  MlpStack stack = SmallStack(), dense = SmallStack();
  const Tensor x = RandomF32({5, 16}, {.seed = 1});
  SwapLinearWithSemiSparseLinear(stack);
  EXPECT_NE(stack.Forward(x).ToVector(), dense.Forward(x).ToVector());
  const SwapReport report = SwapSemiSparseLinearWithLinear(stack);
  EXPECT_THAT(Names(report.converted), ElementsAre("layers.0", "layers.1"));
  EXPECT_EQ(report.converted[0].out_features, 32);
  EXPECT_EQ(report.converted[0].in_features, 16);
  ExpectBitEqual(stack.Forward(x).Detach(), dense.Forward(x).Detach());
}

TEST(UnswapTest, WithTheMaskTheWeightsAreTwoFourAndComputeTheSame) {
  MlpStack stack = SmallStack();
  const Tensor x = RandomF32({5, 16}, {.seed = 1});
  SwapLinearWithSemiSparseLinear(stack);
  const Tensor sparse_output = stack.Forward(x);
  SwapSemiSparseLinearWithLinear(stack, /*apply_mask=*/true);
  ExpectClose(stack.Forward(x).Detach(), sparse_output.Detach());
  for (const NamedTensor& parameter : stack.NamedParameters()) {
    if (parameter.name != "layers.0.weight" && parameter.name != "layers.1.weight") continue;
    EXPECT_EQ(sparse::FindPatternViolation(parameter.tensor, sparse::PatternAxis::kBoth), std::nullopt)
        << parameter.name;
  }
}

TEST(UnswapTest, AnOldMaskIsAppliedAsItIsInForce) {
  MlpStack stack = SmallStack();
  SwapLinearWithSemiSparseLinear(stack, {.sparsity = {.interval = 100}});
  SemiSparseLinear* const layer = FindSemiSparseLinears(stack)[0].layer;
  const sparse::Mask mask = layer->mask();
  Tensor weight = layer->weight();
  FillUniform(weight, -1, 1, {.seed = 5});
  const Tensor expected = sparse::ApplyMask(weight, mask);
  SwapSemiSparseLinearWithLinear(stack, /*apply_mask=*/true);
  ExpectBitEqual(weight, expected);
}

TEST(UnswapTest, AWeightThatCannotBeMaskedChangesNothing) {
  for (const int64_t interval : {1, 100}) {
    MlpStack stack = SmallStack();
    SwapLinearWithSemiSparseLinear(stack, {.sparsity = {.interval = interval}});
    stack.Forward(RandomF32({5, 16}, {.seed = 1}));
    const auto layers = FindSemiSparseLinears(stack);
    Tensor bad = layers[1].layer->weight();
    bad.mutable_data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
    const Tensor first = layers[0].layer->weight().Clone();
    const auto types = Types(stack);
    EXPECT_THAT([&] { SwapSemiSparseLinearWithLinear(stack, true); },
                ThrowsMessage<Error>(HasSubstr("layers.1.weight")));
    EXPECT_EQ(Types(stack), types);
    ExpectBitEqual(FindSemiSparseLinears(stack)[0].layer->weight(), first);
  }
}

/// The result of a run of AdamW: weights, then moments.
std::vector<std::vector<float>> Trained(MlpStack& stack, const optim::Optimizer& optimizer) {
  std::vector<std::vector<float>> trained;
  for (const Tensor& parameter : stack.Parameters()) trained.push_back(parameter.ToVector());
  for (const NamedTensor& slot : optimizer.StateDict()) {
    if (slot.tensor.dtype() == DType::kF32) trained.push_back(slot.tensor.ToVector());
  }
  return trained;
}

void TrainSteps(MlpStack& stack, optim::Optimizer& optimizer, int64_t begin, int64_t end) {
  SparseTraining training(stack);
  for (int64_t step = begin; step < end; ++step) {
    const StepContext context{.step = step, .lr = optimizer.lr()};
    training.BeforeStep(context);
    optimizer.ZeroGrad();
    Sum(ReluSquared(stack.Forward(RandomF32({6, 16}, {.seed = 4, .step = static_cast<uint64_t>(step)})))).Backward();
    training.AfterBackward(context);
    training.BeforeUpdate(context);
    optimizer.Step();
    training.AfterUpdate(context);
  }
}

TEST(UnswapTest, AnOptimizerGoesOnAsIfThereHadBeenADensePhaseInstead) {
  // Sparse for three steps, dense for three, sparse for three.
  const optim::AdamWOptions adam{.lr = 1e-2};
  const sparse::SparsitySchedule away_and_back(
      {.shape = sparse::ScheduleShape::kPiecewise, .points = {{0, 1}, {2, 1}, {3, 0}, {5, 0}, {6, 1}}});
  MlpStack phased = SmallStack(), swapped = SmallStack(), dense = SmallStack();
  optim::AdamW phased_adam(phased.Parameters(), adam), swapped_adam(swapped.Parameters(), adam);
  optim::AdamW dense_adam(dense.Parameters(), adam);
  SwapLinearWithSemiSparseLinear(phased, {.sparsity = {.plan = sparse::MaskPlan({.schedule = away_and_back})}});
  TrainSteps(phased, phased_adam, 0, 9);

  SwapLinearWithSemiSparseLinear(swapped);
  TrainSteps(swapped, swapped_adam, 0, 3);
  const auto before = Trained(swapped, swapped_adam);
  SwapSemiSparseLinearWithLinear(swapped);
  EXPECT_EQ(Trained(swapped, swapped_adam), before);
  TrainSteps(swapped, swapped_adam, 3, 6);
  SwapLinearWithSemiSparseLinear(swapped);
  TrainSteps(swapped, swapped_adam, 6, 9);
  EXPECT_EQ(Trained(swapped, swapped_adam), Trained(phased, phased_adam));
  EXPECT_EQ(swapped_adam.step_count(), 9);

  TrainSteps(dense, dense_adam, 0, 9);
  EXPECT_NE(Trained(swapped, swapped_adam), Trained(dense, dense_adam));
}

}  // namespace
}  // namespace twofour::nn
