#include "twofour/train/program/config/comparable_step.h"

#include <gtest/gtest.h>

#include <string>

#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

namespace twofour::train {
namespace {

/// Of a run of 200 steps.
int64_t StepOfConfig(const std::string& more) {
  const proto::Config config = WithDefaults(
      ParseTextConfig("name: 'x' model { mlp {} } data { glyphs {} } training { steps: 200 } " + more, "config"));
  EXPECT_NO_THROW(ValidateConfig(config)) << more;
  return FirstComparableStep(config);
}

int64_t StepOfSparsity(const std::string& fields) { return StepOfConfig("sparsity { enabled: true " + fields + " }"); }

TEST(FirstComparableStepTest, IsTheFirstOneWhereNothingChanges) {
  EXPECT_EQ(StepOfConfig(""), 0);
  EXPECT_EQ(StepOfSparsity(""), 0);
  EXPECT_EQ(StepOfConfig("sparsity { enabled: false dense_warmup: 0.5 }"), 0);
  // Masks that are found, but not applied.
  EXPECT_EQ(StepOfSparsity("apply: false dense_warmup: 0.5"), 0);
}

TEST(FirstComparableStepTest, ComesAfterTheLastChange) {
  EXPECT_EQ(StepOfSparsity("dense_warmup: 0.25"), 50);
  EXPECT_EQ(StepOfSparsity("schedule { shape: LINEAR end { fraction: 0.5 } }"), 100);
  EXPECT_EQ(StepOfSparsity("stages { begin { step: 0 } keep: 3 } stages { begin { step: 30 } keep: 2 }"), 30);
  EXPECT_EQ(StepOfSparsity("dense_finish: 0.2"), 160);
  EXPECT_EQ(StepOfConfig("initial_weights: 'w' finetune { dense_share: 0.1 } sparsity { enabled: true }"), 20);
}

TEST(FirstComparableStepTest, RoundsBeginAfterTheEvaluationOfTheirStep) {
  const auto rounds = [](const std::string& fields) {
    return StepOfConfig(
        "initial_weights: 'w' sparsity { enabled: true algorithm: PATTERN pattern: 'unstructured:0.5' } one_shot { "
        "method: 'wanda' " +
        fields + " }");
  };
  EXPECT_EQ(rounds(""), 0);
  EXPECT_EQ(rounds("rounds: 3 round_steps: 40"), 81);
  EXPECT_EQ(rounds("rounds: 2 round_steps: 199"), 200);  // Only the last evaluation is of the whole sparsity.
}

}  // namespace
}  // namespace twofour::train
