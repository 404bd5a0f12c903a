#include "twofour/train/program/config/idle_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/train/program/config/overrides.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

#include "tests/support/case_tables.h"
#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

proto::Config With(const std::vector<std::string>& assignments,
                   const std::string& base = "model { mlp {} } data { glyphs {} }") {
  proto::Config config = ParseTextConfig("name: 'x' training { steps: 100 } " + base, "c");
  for (const std::string& assignment : assignments) ApplyOverride(config, assignment);
  return WithDefaults(config);
}

/// Assignments, separated by blanks, and what the message says of the last one.
using Case = test::RefusedText;

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ' ') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

class IdleFieldTest : public ::testing::TestWithParam<Case> {};

TEST_P(IdleFieldTest, IsRefusedInANewRunAndAcceptedInOneThatHasIt) {
  const proto::Config config = With(Split(GetParam().text));
  EXPECT_ERROR(ValidateConfig(config), ErrorKind::kInvalidInput, "config: " + GetParam().message);
  EXPECT_NO_THROW(ValidateConfig(config, config));
  EXPECT_ERROR(ValidateConfig(config, With({})), ErrorKind::kInvalidInput, "config: " + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, IdleFieldTest,
    ::testing::Values(
        Case{"evaluation.max_batches=3", "evaluation.max_batches: 3, expected 0 for a model that reads no tokens"},
        Case{"model={gpt{}} data={text{path:'x'}} training.label_smoothing=0.1",
             "training.label_smoothing: 0.1, expected 0 for a model that predicts no classes"},
        Case{"model={gpt{}} data={text{path:'x'}} training.class_weights=BALANCED",
             "training.class_weights: BALANCED, expected EQUAL for a model that predicts no classes"},
        Case{"model={gpt{}} data={text{path:'x',tokenizer:'t.json'}} data.text.vocabulary=CHARACTERS",
             "data.text.vocabulary: CHARACTERS, expected BYTES beside a tokenizer, whose tokens are taken"},
        Case{"data={csv{path:'x',target:'y'}} training.class_weights=BALANCED",
             "training.class_weights: BALANCED, expected EQUAL for a model that predicts no classes"},
        Case{"data={csv{path:'x',target:'y',label:'z'}}",
             "data.csv.label: \"z\", expected \"-1\" beside data.csv.target, which says what is predicted"},
        Case{"data={csv{path:'x',target:'y',numeric_classes:true}}",
             "data.csv.numeric_classes: true, expected false beside data.csv.target, which says what is predicted"},
        Case{"data={csv{path:'x',standardize_targets:false}}",
             "data.csv.standardize_targets: false, expected true without data.csv.target"},
        Case{"training.regression_loss=HUBER",
             "training.regression_loss: HUBER, expected MEAN_SQUARED_ERROR without data.csv.target"},
        Case{"data={csv{path:'x',target:'y'}} training.huber_delta=2",
             "training.huber_delta: 2, expected 1 unless regression_loss is HUBER"},
        Case{"training.precision=FP8 training.low_precision.weights.block=16",
             "training.low_precision.weights.block: 16, expected 32 but for E4M3 and E5M2 with scales BLOCK"},
        Case{"training.precision=FP8 training.low_precision.activations={scales:ROW,block:16}",
             "training.low_precision.activations.block: 16, expected 32 but for E4M3 and E5M2 with scales BLOCK"},
        Case{"training.precision=NVFP4 training.low_precision.gradients.block=16",
             "training.low_precision.gradients.block: 16, expected 32 but for E4M3 and E5M2 with scales BLOCK"},
        Case{"training.precision=FP8 training.low_precision.activations={format:BF16,rounding:STOCHASTIC}",
             "training.low_precision.activations.rounding: STOCHASTIC, expected USUAL for BF16 without hadamard: what "
             "would be rounded is BF16 already"},
        Case{"training.precision=NVFP4 training.low_precision.hadamard=OFF "
             "training.low_precision.gradients={format:BF16,rounding:NEAREST}",
             "training.low_precision.gradients.rounding: NEAREST, expected USUAL for BF16 without hadamard: what would "
             "be rounded is BF16 already"},
        Case{"learning_rate.min_lr=1e-5", "learning_rate.min_lr: 1e-05, expected 0 with CONSTANT"},
        Case{"learning_rate.schedule=WARMUP_STABLE_DECAY learning_rate.min_lr=1e-5",
             "learning_rate.min_lr: 1e-05, expected 0 without decay_steps or decay_fraction: the rate never falls"},
        Case{"learning_rate.warmup_steps=3", "learning_rate.warmup_steps: 3, expected 0 with CONSTANT"},
        Case{"learning_rate.warmup_fraction=0.5", "learning_rate.warmup_fraction: 0.5, expected 0 with CONSTANT"},
        Case{"learning_rate.schedule=WARMUP_COSINE learning_rate.decay_steps=3",
             "learning_rate.decay_steps: 3, expected 0 unless the schedule is WARMUP_STABLE_DECAY"},
        Case{"sparsity.schedule={shape:LINEAR,end{step:9},rate:7}",
             "sparsity.schedule.rate: 7, expected 5 but for EXPONENTIAL"},
        Case{"sparsity.schedule={shape:PIECEWISE,points{at{step:9},share:1},rate:7}",
             "sparsity.schedule.rate: 7, expected 5 but for EXPONENTIAL"},
        Case{"sparsity.schedule={shape:PIECEWISE,points{at{step:9},share:1},from:0.5}",
             "sparsity.schedule.from: 0.5, expected 0 for PIECEWISE, whose points say how much"},
        Case{"sparsity.schedule={shape:PIECEWISE,points{at{step:9},share:1},to:0.5}",
             "sparsity.schedule.to: 0.5, expected 1 for PIECEWISE, whose points say how much"},
        Case{"sparsity.schedule={shape:PIECEWISE,points{at{step:9},share:1},begin{step:0}}",
             "sparsity.schedule.begin: given, expected none for PIECEWISE, whose points say when"},
        Case{"sparsity.schedule={end{fraction:0}}",
             "sparsity.schedule.end: given, expected none for CONSTANT, which changes at once"},
        Case{"sparsity.target=ACTIVATION sparsity.interval=2",
             "sparsity.interval: 2, expected 1 for target ACTIVATION: it is for masks of weights"},
        Case{"sparsity.target=ACTIVATION sparsity.apply=false",
             "sparsity.apply: false, expected true for target ACTIVATION: it is for masks of weights"},
        Case{"sparsity.target=ACTIVATION sparsity.schedule.order=RANDOM",
             "sparsity.schedule: given, expected none for target ACTIVATION: it is for masks of weights"},
        Case{"sparsity.target=ACTIVATION sparsity.freeze.step=0",
             "sparsity.freeze: given, expected none for target ACTIVATION: it is for masks of weights"},
        Case{"sparsity.target=ACTIVATION sparsity.stages={begin{step:3}}",
             "sparsity.stages: given, expected none for target ACTIVATION: it is for masks of weights"}));

TEST(IdleFieldsTest, TheSameFieldsAreWelcomeWhereTheyHaveAnEffect) {
  EXPECT_NO_THROW(ValidateConfig(With({"sparsity.schedule={shape:EXPONENTIAL end{step:9} rate:7 from:1 to:0}"})));
  EXPECT_NO_THROW(ValidateConfig(With({"sparsity.schedule={shape:LINEAR end{step:9} from:1 to:0}"})));
  EXPECT_NO_THROW(ValidateConfig(With({"learning_rate.schedule=WARMUP_STABLE_DECAY", "learning_rate.min_lr=1e-5",
                                       "learning_rate.decay_fraction=0.5", "learning_rate.warmup_steps=3"})));
  EXPECT_NO_THROW(ValidateConfig(With({"data={csv{path:'x' target:'y' standardize_targets:false}}",
                                       "training.regression_loss=HUBER", "training.huber_delta=2"})));
  EXPECT_NO_THROW(ValidateConfig(With({"learning_rate.schedule=WARMUP_COSINE", "learning_rate.min_lr=1e-5"})));
  EXPECT_NO_THROW(
      ValidateConfig(With({"training.precision=FP8", "training.low_precision.weights={format:BF16 rounding:STOCHASTIC}",
                           "training.low_precision.gradients={scales:BLOCK block:16}"})));
  EXPECT_NO_THROW(ValidateConfig(With({"training.precision=NVFP4",  // Rotated operands are f32.
                                       "training.low_precision.activations={format:BF16 rounding:STOCHASTIC}",
                                       "training.low_precision.gradients={format:E4M3 scales:BLOCK block:16}"})));
  EXPECT_NO_THROW(
      ValidateConfig(With({"evaluation.max_batches=3", "training.tokens_per_step=65536", "training.batch_size=32"},
                          "model { gpt { sequence_length: 64 } } data { text { path: 'a' } }")));
}

TEST(IdleFieldsTest, DefaultsSayNothing) {
  EXPECT_NO_THROW(
      ValidateConfig(With({"sparsity.schedule.rate=5", "learning_rate.warmup_fraction=0", "evaluation.max_batches=0",
                           "sparsity.target=ACTIVATION", "sparsity.masked_decay.lambda=0", "sparsity.rows.keep=2"})));
}

TEST(IdleFieldsTest, ARunMayKeepItsIdleFieldsButGetsNoOthers) {
  const proto::Config stored = With({"evaluation.max_batches=3"});
  EXPECT_NO_THROW(ValidateConfig(With({"evaluation.max_batches=3", "training.steps=200"}), stored));
  EXPECT_NO_THROW(ValidateConfig(With({}), stored));
  EXPECT_ERROR(ValidateConfig(With({"evaluation.max_batches=4"}), stored), ErrorKind::kInvalidInput,
               "config: evaluation.max_batches: 4, expected 0 for a model that reads no tokens");
  EXPECT_ERROR(ValidateConfig(With({"evaluation.max_batches=3", "learning_rate.min_lr=1e-5"}), stored),
               ErrorKind::kInvalidInput, "config: learning_rate.min_lr: 1e-05, expected 0 with CONSTANT");
}

}  // namespace
}  // namespace twofour::train
