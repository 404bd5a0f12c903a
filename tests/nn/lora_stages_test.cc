#include "twofour/nn/lora_stages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int64_t kSteps = 14;

/// The steps before which masks are found.
std::vector<int64_t> Searches(const LoraStages& stages) {
  std::vector<int64_t> steps;
  for (int64_t step = 0; step < kSteps; ++step) {
    if (stages.FindsMasksAt(step)) steps.push_back(step);
  }
  return steps;
}

TEST(LoraStagesTest, StagesAndSearches) {
  const LoraStages stages{.first_masked_step = 3, .first_fixed_step = 10, .interval = 3};
  EXPECT_EQ(stages.StageAt(0), 1);
  EXPECT_EQ(stages.StageAt(2), 1);
  EXPECT_EQ(stages.StageAt(3), 2);
  EXPECT_EQ(stages.StageAt(9), 2);
  EXPECT_EQ(stages.StageAt(10), 3);
  EXPECT_THAT(Searches(stages), ElementsAre(3, 6, 9, 10));
  EXPECT_THAT(Searches({.first_masked_step = 0, .first_fixed_step = 4, .interval = 4}), ElementsAre(0, 4));
  EXPECT_THAT(Searches({.first_masked_step = 5, .first_fixed_step = 5}), ElementsAre(5));  // No stage 2.
  EXPECT_THAT(Searches({}), ElementsAre(0));                                               // Stage 3 alone.
}

TEST(LoraStagesTest, WrongStages) {
  Generator generator(1);
  MlpStack none({.in_features = 4, .hidden_features = {}, .out_features = 4}, generator);
  const auto make = [&](const LoraStages& stages) { return [&none, stages] { LoraTraining(none, stages); }; };
  EXPECT_THAT(make({.first_masked_step = 3, .first_fixed_step = 2}),
              ThrowsMessage<Error>(HasSubstr("first_fixed_step")));
  EXPECT_THAT(make({.first_masked_step = -1}), ThrowsMessage<Error>(HasSubstr("first_masked_step")));
  EXPECT_THAT(make({.interval = 0}), ThrowsMessage<Error>(HasSubstr("interval")));
}

// Trains a model as the trainer does, and watches what each step does to masks and weights.
TEST(LoraStagesTest, MergesWhereMasksAreFoundAndNowhereElse) {
  for (const int64_t interval : {int64_t{1}, int64_t{3}}) {
    SCOPED_TRACE(interval);
    const LoraStages stages{.first_masked_step = 3, .first_fixed_step = 10, .interval = interval};
    Generator generator(1);
    MlpStack model({.in_features = 16, .hidden_features = {}, .out_features = 32}, generator);
    const sparse::MaskPlan plan({.first_sparse_step = stages.first_masked_step});
    SwapLinearWithSemiSparseLinear(
        model,
        {.multiple_of = 4, .sparsity = {.plan = plan, .interval = interval, .freeze_step = stages.first_fixed_step}});
    SwapSemiSparseLinearWithLoraLinear(model, {.lora = {.rank = 4}});
    SparseTraining sparse(model);
    LoraTraining lora(model, stages);
    LoraLinear& layer = *FindLoraLinears(model).front().layer;
    optim::AdamW optimizer(std::vector<Tensor>{layer.lora_a(), layer.lora_b()}, {.lr = 0.05});
    const Tensor x = RandomF32({20, 16}, {.seed = 2}), target = RandomF32({20, 32}, {.seed = 3});
    const auto sum = [&layer] {
      const NoGradGuard no_grad;
      return sparse::AddLowRank(layer.weight(), {layer.lora_a(), layer.lora_b(), layer.scale()});
    };
    std::vector<int64_t> merged, changed;
    sparse::Mask last;
    for (int64_t step = 0; step < kSteps; ++step) {
      const uint64_t version = layer.weight().version();
      sparse.BeforeStep({step, 0.05});
      optimizer.ZeroGrad();
      MseLoss(model.Forward(x), target).Backward();
      if (step > 0 && !(layer.mask_in_force() == last)) changed.push_back(step);
      last = layer.mask_in_force();
      optimizer.Step();
      sparse.AfterUpdate({step, 0.05});
      const Tensor before = sum();
      lora.AfterStep({step, 0.05});
      if (layer.weight().version() != version) merged.push_back(step + 1);
      ExpectBitEqual(sum(), before);
    }
    EXPECT_EQ(merged, Searches(stages));
    EXPECT_EQ(changed.front(), stages.first_masked_step);
    EXPECT_LE(changed.back(), stages.first_fixed_step);
    for (const int64_t step : changed) EXPECT_TRUE(stages.FindsMasksAt(step)) << step;
    EXPECT_EQ(last.CountKept(), 16 * 32 / 2);
  }
}

}  // namespace
}  // namespace twofour::nn
