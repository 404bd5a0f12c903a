#include <gtest/gtest.h>

#include <string>

#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

#include "tests/support/case_tables.h"
#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

/// A part of a config, and all that ValidateConfig says of it.
using Case = test::RefusedText;

/// Adds a model, data and a run of 100 steps, unless `text` has them.
proto::Config ConfigOf(const std::string& text) {
  proto::Config config = ParseTextConfig("name: 'x' " + text, "c");
  if (!config.training().has_steps()) config.mutable_training()->set_steps(100);
  if (!config.has_model()) config.mutable_model()->mutable_mlp();
  if (!config.has_data()) config.mutable_data()->mutable_glyphs();
  return WithDefaults(config);
}

class ToldOnceTest : public ::testing::TestWithParam<Case> {};

TEST_P(ToldOnceTest, NothingFollowsFromAFault) {
  EXPECT_ERROR(ValidateConfig(ConfigOf(GetParam().text)), ErrorKind::kInvalidInput, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Training, ToldOnceTest,
    ::testing::Values(
        Case{"training { tokens_per_step: -1 accumulate_steps: 0 }",
             "config: training.tokens_per_step: -1, expected 0 for a model that reads no tokens\n"
             "config: training.accumulate_steps: 0, expected 1 to 1048576"},
        Case{"training { tokens_per_step: 1000 }",
             "config: training.tokens_per_step: 1000, expected 0 for a model that reads no tokens"},
        Case{"training { tokens_per_step: 1000 accumulate_steps: 0 }",
             "config: training.tokens_per_step: 1000, expected 0 for a model that reads no tokens\n"
             "config: training.accumulate_steps: 0, expected 1 to 1048576"},
        Case{"training { steps: 0 } sparsity { freeze { step: 5 } schedule { shape: LINEAR end { step: 7 } } "
             "stages { begin { step: 5 } keep: 3 } stages { begin { fraction: 0.5 } keep: 2 } dense_warmup: 0.5 }",
             "config: training.steps: 0, expected 1 to 1099511627776"},
        Case{"training { steps: -5 } sparsity { freeze { step: -1 } interval: 0 dense_warmup: 0.2 }",
             "config: training.steps: -5, expected 1 to 1099511627776\n"
             "config: sparsity.freeze.step: -1, expected 0 to 1099511627776\n"
             "config: sparsity.interval: 0, expected 1 to 1099511627776"},
        Case{"training { stop_after_evaluations_without_gain: -2 } evaluation { every_steps: 0 }",
             "config: training.stop_after_evaluations_without_gain: -2, expected 0 where evaluation.every_steps is 0: "
             "nothing is evaluated before the last step"},
        Case{"training { stop_after_evaluations_without_gain: 2 } evaluation { every_steps: -1 }",
             "config: evaluation.every_steps: -1, expected 0 to 1099511627776"}));

/// A config of a language model, up to the middle of its model.
std::string Gpt(const std::string& rest) {
  return "data { text { path: 'a' } } model { gpt { sequence_length: 32 " + rest;
}

INSTANTIATE_TEST_SUITE_P(
    Gpt, ToldOnceTest,
    ::testing::Values(
        Case{Gpt("} } training { tokens_per_step: -1 }"),
             "config: training.tokens_per_step: -1, expected 0 to 1099511627776"},
        Case{Gpt("} } training { batch_size: 9000000000000000000 tokens_per_step: 7 }"),
             "config: training.batch_size: 9000000000000000000, expected at most 134217728 tokens in a forward pass, "
             "that is 4194304 sequences of 32"},
        Case{Gpt("} } training { tokens_per_step: 4096 accumulate_steps: 0 }"),
             "config: training.accumulate_steps: 0, expected 1 beside tokens_per_step, which decides it"},
        Case{Gpt("} } evaluation { batch_size: 9000000000000000000 }"),
             "config: evaluation.batch_size: 9000000000000000000, expected at most 134217728 tokens in a forward pass, "
             "that is 4194304 sequences of 32"},
        Case{Gpt("depth: -1 } }"), "config: model.gpt.depth: -1, expected 0 to 1000"},
        Case{Gpt("width: -64 } }"), "config: model.gpt.width: -64, expected 0 to 1048576"},
        Case{Gpt("width: 9999999 heads: 5 kv_heads: 7 } }"), "config: model.gpt.width: 9999999, expected 0 to 1048576"},
        Case{Gpt("width: 100 heads: 3 kv_heads: 2 } }"),
             "config: model.gpt.heads: 3, expected a divisor of the width, which is 100"},
        Case{"model { gpt { sequence_length: 0 } } data { text { path: 'a' } } training { tokens_per_step: 7 }",
             "config: model.gpt.sequence_length: 0, expected 1 to 1048576"},
        Case{"model { gpt { sequence_length: 0 } } data { text { path: 'a' } } training { tokens_per_step: -1 }",
             "config: model.gpt.sequence_length: 0, expected 1 to 1048576\n"
             "config: training.tokens_per_step: -1, expected 0 to 1099511627776"},
        Case{Gpt("} } sparsity { enabled: true target: ACTIVATION freeze { step: 3 } algorithm: ROWS }"),
             "config: sparsity.target: ACTIVATION, expected WEIGHT for model.gpt: a tile of activations spans four "
             "tokens, of which the first must not see the last"},
        Case{"model { gpt {} } data { glyphs { train_size: 0 } }",
             "config: data: samples with classes, expected text { ... } or tokens { ... } for model.gpt"},
        Case{"data { text { path: 'a' } } evaluation { max_batches: 2 }",
             "config: model: a classifier, expected gpt { ... } for data.text and data.tokens"}));

INSTANTIATE_TEST_SUITE_P(
    Rates, ToldOnceTest,
    ::testing::Values(
        Case{"learning_rate { schedule: WARMUP_COSINE lr: -1 min_lr: 0.1 }",
             "config: learning_rate.lr: -1, expected a finite number of at least 0"},
        Case{"learning_rate { schedule: WARMUP_COSINE lr: nan min_lr: -0.1 }",
             "config: learning_rate.lr: nan, expected a finite number of at least 0\n"
             "config: learning_rate.min_lr: -0.1, expected a finite number of at least 0"},
        Case{"learning_rate { min_lr: 5 }", "config: learning_rate.min_lr: 5, expected 0 with CONSTANT"},
        Case{"learning_rate { decay_fraction: 1.5 }",
             "config: learning_rate.decay_fraction: 1.5, expected 0 unless the schedule is WARMUP_STABLE_DECAY"},
        Case{"learning_rate { schedule: WARMUP_STABLE_DECAY decay_fraction: 1.5 }",
             "config: learning_rate.decay_fraction: 1.5, expected 0 to 1"},
        Case{"learning_rate { schedule: WARMUP_STABLE_DECAY warmup_fraction: 1.5 decay_fraction: 0.5 }",
             "config: learning_rate.warmup_fraction: 1.5, expected 0 to 1"},
        Case{"learning_rate { schedule: WARMUP_STABLE_DECAY warmup_fraction: 0.8 decay_fraction: 0.5 }",
             "config: learning_rate.decay_fraction: 0.5, expected at most 1 - warmup_fraction, which is 0.2"},
        Case{"optimizer { sgd { momentum: nan nesterov: true } }",
             "config: optimizer.sgd.momentum: nan, expected a number in [0, 1)"},
        Case{"optimizer { head { weight_decay: inf } }",
             "config: optimizer.head.weight_decay: inf, expected a finite number"}));

INSTANTIATE_TEST_SUITE_P(
    Sparsity, ToldOnceTest,
    ::testing::Values(
        Case{"sparsity { stages { begin { step: 5 } keep: 0 } stages { begin { step: 6 } keep: 3 } "
             "stages { begin { step: 7 } keep: 2 } }",
             "config: sparsity.stages[0].keep: 0, expected 1 to 4"},
        Case{"sparsity { stages { begin { step: 5 } keep: 1 } stages { begin { step: 6 } keep: 3 } "
             "stages { begin { step: 7 } keep: 2 } }",
             "config: sparsity.stages[1].keep: 3, expected no stage after one that keeps 1"},
        Case{"sparsity { stages { begin { step: 50 } keep: 4 } stages { begin { step: 20 } keep: 3 } "
             "stages { begin { step: 10 } keep: 2 } }",
             "config: sparsity.stages[1].begin: step 20, expected a step after the stage before, which begins at 50"},
        Case{"sparsity { algorithm: GREEDY stages { keep: 9 } stages { begin { step: 101 } } }",
             "config: sparsity.stages: with algorithm GREEDY, expected EXACT for N-decay"},
        Case{"sparsity { target: ACTIVATION freeze { step: 5 } dense_warmup: 0.5 interval: 10 }",
             "config: sparsity.interval: 10, expected 1 for target ACTIVATION: it is for masks of weights\n"
             "config: sparsity.freeze: given, expected none for target ACTIVATION: it is for masks of weights\n"
             "config: sparsity.dense_warmup: 0.5, expected 0 for target ACTIVATION: it is for masks of weights"},
        Case{
            "sparsity { target: ACTIVATION freeze_gradient: true soft_threshold: true rows { keep: 7 } }",
            "config: sparsity.rows: given, expected none for target ACTIVATION: it is for masks of weights\n"
            "config: sparsity.freeze_gradient: true, expected false for target ACTIVATION: it is for masks of weights\n"
            "config: sparsity.soft_threshold: true, expected false for target ACTIVATION: it is for masks of weights"},
        Case{"sparsity { target: ACTIVATION schedule { shape: LINEAR from: 7 } }",
             "config: sparsity.schedule: given, expected none for target ACTIVATION: it is for masks of weights"},
        Case{"sparsity { rows { keep: 40 of: 33 } }", "config: sparsity.rows: 40:33, expected none but for ROWS"},
        Case{"sparsity { algorithm: ROWS rows { of: 5 } multiple_of: 0 }",
             "config: sparsity.multiple_of: 0, expected 1 to 1048576"},
        Case{"sparsity { soft_threshold: true schedule { begin { step: 4 } } }",
             "config: sparsity.soft_threshold: true, expected false but for ROWS"},
        Case{"sparsity { interval: 9000000000000000000 freeze { step: 3 } }",
             "config: sparsity.interval: 9000000000000000000, expected 1 to 1099511627776"},
        Case{"sparsity { interval_growth: 7 freeze { step: 0 } }",
             "config: sparsity.interval_growth: 7, expected 0 to 1"},
        Case{"sparsity { dense_warmup: 2 freeze { step: 3 } interval: 5 }",
             "config: sparsity.dense_warmup: 2, expected a number in [0, 1)"},
        Case{"sparsity { dense_warmup: 0.8 dense_finish: 0.5 freeze { step: 85 } }",
             "config: sparsity.dense_finish: 0.5, expected less than 1 - dense_warmup, which is 0.2: the two overlap"},
        Case{"initial_masks: true",
             "config: initial_masks: true, expected false without initial_weights, the file "
             "that holds them"}));

}  // namespace
}  // namespace twofour::train
