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

TEST(FirstComparableStepTest, AResumeThatChangesSparsityBeginsAnew) {
  const auto config = [](const std::string& sparsity, int64_t steps) {
    proto::Config result =
        WithDefaults(ParseTextConfig("name: 'x' model { mlp {} } data { glyphs {} } " + sparsity, "config"));
    result.mutable_training()->set_steps(steps);
    return result;
  };
  const auto after = [&](const std::string& stored, int64_t stored_steps, const std::string& now, int64_t steps) {
    return FirstComparableStep(config(stored, stored_steps), config(now, steps), /*step=*/150);
  };
  const std::string exact = "sparsity { enabled: true }", warmup = "sparsity { enabled: true dense_warmup: 0.5 }";
  EXPECT_EQ(after("", 200, "", 300), 0);
  EXPECT_EQ(after(exact, 200, exact, 300), 0);
  EXPECT_EQ(after(exact, 200, "sparsity { enabled: true interval: 5 masked_decay { lambda: 1 } }", 300), 0);
  EXPECT_EQ(after("", 200, exact, 300), 151);
  EXPECT_EQ(after(exact, 200, "", 300), 151);
  EXPECT_EQ(after(exact, 200, "sparsity { enabled: true algorithm: ROWS rows { keep: 4 of: 8 } }", 300), 151);
  // Sparse from step 100 on, then counted from the middle of 400; and the other way round.
  EXPECT_EQ(after(warmup, 200, warmup, 400), 200);
  EXPECT_EQ(after(warmup, 400, warmup, 200), 151);
  EXPECT_EQ(after(warmup, 200, warmup, 220), 110);
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
