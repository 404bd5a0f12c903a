#include "twofour/train/program/config/build_finetune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "twofour/core/error.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

proto::Config ConfigOf(const std::string& finetune, int64_t steps, const std::string& sparsity = "") {
  proto::Config config =
      WithDefaults(ParseTextConfig("name: 'x' model { mlp {} } data { glyphs {} } initial_weights: 'w' finetune { " +
                                       finetune + " } sparsity { enabled: true " + sparsity + " }",
                                   "c"));
  config.mutable_training()->set_steps(steps);
  return config;
}

TEST(BuildFinetuneTest, ByDefaultTheFirstTwoStagesAreATenth) {
  const proto::Config config = ConfigOf("", 1000);
  EXPECT_NO_THROW(ValidateConfig(config));
  const nn::LoraStages stages = StagesOf(config);
  EXPECT_EQ(stages.first_masked_step, 30);
  EXPECT_EQ(stages.first_fixed_step, 100);
  EXPECT_EQ(stages.interval, 10);
}

TEST(BuildFinetuneTest, AShareAboveZeroLastsAStep) {
  const nn::LoraStages short_run = StagesOf(ConfigOf("", 3));
  EXPECT_EQ(short_run.first_masked_step, 1);
  EXPECT_EQ(short_run.first_fixed_step, 2);
  for (const int64_t steps : {1, 2}) {  // Stage 3 has the last one.
    EXPECT_NO_THROW(ValidateConfig(ConfigOf("", steps)));
    EXPECT_EQ(StagesOf(ConfigOf("", steps)).first_fixed_step, steps - 1);
  }
  const nn::LoraStages fixed = StagesOf(ConfigOf("dense_share: 0 search_share: 0", 100));
  EXPECT_EQ(fixed.first_masked_step, 0);
  EXPECT_EQ(fixed.first_fixed_step, 0);
}

// The layers search for masks where adapters are merged, whatever the steps.
TEST(BuildFinetuneTest, LayersHaveTheStagesAsTheirPlan) {
  for (int64_t steps = 3; steps < 60; steps += 7) {
    const proto::Config config = ConfigOf("dense_share: 0.2 search_share: 0.3 interval: 4", steps, "algorithm: GREEDY");
    ASSERT_NO_THROW(ValidateConfig(config));
    const nn::LoraStages stages = StagesOf(config);
    const nn::SemiSparseOptions options = BuildSwapOptions(config).sparsity;
    EXPECT_EQ(options.plan.options().method, sparse::MaskMethod::kGreedy);
    EXPECT_EQ(options.interval, 4);
    EXPECT_EQ(options.freeze_step, stages.first_fixed_step);
    for (int64_t step = 0; step < steps; ++step) EXPECT_EQ(options.plan.KeepsAll(step), stages.StageAt(step) == 1);
  }
}

// They are refused, but --accept-idle-fields lets them pass.
TEST(BuildFinetuneTest, OtherTimetablesMakeNoDifference) {
  const proto::Config config = ConfigOf(
      "", 100, "dense_finish: 0.5 interval: 3 freeze_gradient: true freeze { step: 4 } masked_decay { lambda: 1 }");
  EXPECT_THAT([&] { ValidateConfig(config); },
              ThrowsMessage<Error>(HasSubstr("sparsity.dense_finish: 0.5, expected 0 beside finetune, whose stages")));
  const nn::SemiSparseOptions options = BuildSwapOptions(config).sparsity;
  EXPECT_EQ(options.plan.options().dense_from_step, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(options.interval, 10);
  EXPECT_EQ(options.freeze_step, 10);
  EXPECT_FALSE(options.freeze_gradient);
  EXPECT_EQ(options.masked_decay.lambda, 0);
}

TEST(BuildFinetuneTest, LayersDrawTheirFactorsByTheSeed) {
  proto::Config config = ConfigOf("rank: 3 alpha: 6", 100);
  const nn::LoraSwapOptions options = BuildLoraSwapOptions(config);
  EXPECT_EQ(options.lora.rank, 3);
  EXPECT_EQ(options.lora.scale(), 2);
  config.set_seed(7);
  EXPECT_EQ(BuildLoraSwapOptions(config).key.seed, 7u);
  EXPECT_EQ(BuildLoraSwapOptions(config).key.stream, options.key.stream);
}

}  // namespace
}  // namespace twofour::train
