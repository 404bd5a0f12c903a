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
  // The third stage begins at step 34, after which the adapters are new.
  EXPECT_EQ(StepOfConfig("initial_weights: 'w' finetune { dense_share: 0.1 } sparsity { enabled: true }"), 35);
  EXPECT_EQ(
      StepOfConfig("initial_weights: 'w' initial_masks: true finetune { dense_share: 0 search_share: 0 } sparsity "
                   "{ enabled: true }"),
      0);
}

TEST(SparsityIdTest, IsThatOfWhatIsPruned) {
  const auto id = [](const std::string& sparsity) {
    return SparsityId(WithDefaults(ParseTextConfig("sparsity { " + sparsity + " }", "config")));
  };
  const std::string exact = id("enabled: true");
  EXPECT_EQ(id("enabled: false dense_warmup: 0.1"), "");
  EXPECT_NE(exact, "");
  EXPECT_EQ(id("enabled: true interval: 5 interval_growth: 0.5 masked_decay { lambda: 1 } fused_mlp: false"), exact);
  for (const std::string other : {"algorithm: ROWS rows { keep: 4 of: 8 }", "dense_warmup: 0.1", "include: 'x'",
                                  "apply: false", "schedule { shape: LINEAR end { fraction: 0.5 } }"}) {
    EXPECT_NE(id("enabled: true " + other), exact) << other;
  }
}

TEST(SparsityIdTest, ChangesAreThoseOfTheId) {
  EXPECT_TRUE(ChangesSparsity("sparsity.enabled: false -> true"));
  EXPECT_TRUE(ChangesSparsity("sparsity.schedule.to: 0.5 -> 1"));
  EXPECT_FALSE(ChangesSparsity("sparsity.interval: 1 -> 5"));
  EXPECT_FALSE(ChangesSparsity("sparsity.masked_decay.lambda: 0 -> 1"));
  EXPECT_FALSE(ChangesSparsity("training.steps: 1 -> 5"));
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
