#include "twofour/train/program/config/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "twofour/train/program/config/overrides.h"
#include "twofour/train/program/config/text_config.h"

#include "tests/support/case_tables.h"
#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

proto::Config ValidConfig() {
  return WithDefaults(ParseTextConfig("name: 'x' model { mlp {} } data { glyphs {} }", "c"));
}

proto::Config With(const std::vector<std::string>& overrides) {
  proto::Config config = ValidConfig();
  for (const std::string& assignment : overrides) ApplyOverride(config, assignment);
  return WithDefaults(config);
}

TEST(ValidateConfigTest, AcceptsDefaults) { EXPECT_NO_THROW(ValidateConfig(ValidConfig())); }

TEST(ValidateConfigTest, EverySoManyStepsMayBeNever) {
  EXPECT_NO_THROW(ValidateConfig(With({"evaluation.every_steps=0", "logging.every_steps=0", "checkpoint.every_steps=0",
                                       "logging.histogram_every_steps=0"})));
}

TEST(ValidateConfigTest, ListsEveryFaultWithItsPathOnALineOfItsOwn) {
  try {
    ValidateConfig(With({"training.batch_size=-3", "learning_rate.lr=-1", "optimizer.adamw.beta1=1.5",
                         "sparsity.multiple_of=6", "data.glyphs.train_size=0"}));
    FAIL() << "accepted";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_THAT(message, AllOf(HasSubstr("config: training.batch_size: -3, expected"),
                               HasSubstr("config: learning_rate.lr: -1, expected"),
                               HasSubstr("config: optimizer.adamw.beta1: 1.5, expected"),
                               HasSubstr("config: sparsity.multiple_of: 6, expected"),
                               HasSubstr("config: data.glyphs.train_size: 0, expected")));
    EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 4);
  }
}

TEST(ValidateConfigTest, NeedsAModelAndData) {
  EXPECT_ERROR(ValidateConfig(WithDefaults(ParseTextConfig("name: 'x'", "c"))), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("config: model: missing"), HasSubstr("config: data: missing")));
}

proto::Config GptConfig(const std::string& training) {
  return WithDefaults(ParseTextConfig(
      "name: 'x' model { gpt { sequence_length: 32 } } data { text { path: 'a' } } training { " + training + " }",
      "c"));
}

TEST(ValidateConfigTest, APassOfALanguageModelIsBounded) {
  EXPECT_ERROR(ValidateConfig(GptConfig("batch_size: 1099511627776")), ErrorKind::kInvalidInput,
               HasSubstr("config: training.batch_size: 1099511627776, expected at most 134217728 tokens in a forward "
                         "pass, that is 4194304 sequences of 32"));
  EXPECT_ERROR(ValidateConfig(GptConfig("batch_size: 1 tokens_per_step: 1099511627776")), ErrorKind::kInvalidInput,
               HasSubstr("config: training.tokens_per_step: 1099511627776, expected at most 1048576 times"));
}

TEST(ValidateConfigTest, ActivationsOfALanguageModelAreNotPruned) {
  proto::Config config = GptConfig("batch_size: 4");
  config.mutable_sparsity()->set_target(proto::Sparsity::ACTIVATION);
  EXPECT_NO_THROW(ValidateConfig(config));
  config.mutable_sparsity()->set_enabled(true);
  EXPECT_ERROR(ValidateConfig(config), ErrorKind::kInvalidInput, HasSubstr("config: sparsity.target: ACTIVATION"));
}

TEST(ValidateConfigTest, TokensPerStepAreWholeMicroBatches) {
  EXPECT_NO_THROW(ValidateConfig(GptConfig("batch_size: 4")));
  EXPECT_NO_THROW(ValidateConfig(GptConfig("batch_size: 4 tokens_per_step: 512")));
  EXPECT_ERROR(ValidateConfig(GptConfig("batch_size: 4 tokens_per_step: 500")), ErrorKind::kInvalidInput,
               HasSubstr("config: training.tokens_per_step: 500, expected a multiple of batch_size * sequence_length, "
                         "which is 4 * 32 = 128"));
  EXPECT_ERROR(ValidateConfig(GptConfig("batch_size: 4 tokens_per_step: 256 accumulate_steps: 2")),
               ErrorKind::kInvalidInput, HasSubstr("config: training.accumulate_steps: 2, expected 1"));
}

/// An assignment, and how the message about it begins.
using Case = test::RefusedText;

class BadValueTest : public ::testing::TestWithParam<Case> {};

TEST_P(BadValueTest, IsRejectedUnderItsPath) {
  EXPECT_ERROR(ValidateConfig(With({GetParam().text})), ErrorKind::kInvalidInput,
               HasSubstr("config: " + GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadValueTest,
    ::testing::Values(
        Case{"name=", "name"}, Case{"name=../up", "name"}, Case{"threads=-1", "threads"},
        Case{"threads=100000", "threads"}, Case{"training.steps=0", "training.steps"},
        Case{"training.accumulate_steps=0", "training.accumulate_steps"},
        Case{"training.clip_grad_norm=nan", "training.clip_grad_norm"},
        Case{"training.clip_grad_norm=-1", "training.clip_grad_norm"},
        Case{"model.mlp.hidden_features=[8, 0]", "model.mlp.hidden_features[1]"},
        Case{"model.mlp.hidden_features=9223372036854775807", "model.mlp.hidden_features[0]"},
        Case{"model.mlp.dropout=1", "model.mlp.dropout"},
        Case{"model.residual_mlp.width=-8", "model.residual_mlp.width"},
        Case{"model.residual_mlp.num_blocks=-1", "model.residual_mlp.num_blocks"},
        Case{"model.residual_mlp.hidden_features=-1", "model.residual_mlp.hidden_features"},
        Case{"model.conv_net.hidden_features=8", "model.conv_net.convolutions (how many)"},
        Case{"model.conv_net.convolutions={ kernel_size: 5 }", "model.conv_net.convolutions[0].channels: 0"},
        Case{"model.conv_net={ image { height: 4 width: 4 } convolutions { channels: 4 pool: 5 } }",
             "model.conv_net.convolutions[0].pool: 5"},
        Case{"model.conv_net={ image { height: 4 } convolutions { channels: 4 } }", "model.conv_net.image.width: 0"},
        Case{"model.conv_net={ convolutions { channels: 4 } activation: SWIGLU }", "model.conv_net.activation"},
        Case{"data.idx.images=x", "data.idx.labels"},
        Case{"data.idx={images: 'a' labels: 'b' eval_images: 'c'}",
             "data.idx.eval_labels: missing, expected a file's path beside eval_images"},
        Case{"data.idx={images: 'a' labels: 'b' eval_labels: 'c'}",
             "data.idx.eval_images: missing, expected a file's path beside eval_labels"},
        Case{"data.csv.delimiter=ab", "data.csv.delimiter"}, Case{"data.csv.decimal=;", "data.csv.decimal"},
        Case{"data.glyphs.noise=5", "data.glyphs.noise"}, Case{"data.glyphs.scale=nan", "data.glyphs.scale"},
        Case{"data.glyphs.rotation_degrees=181", "data.glyphs.rotation_degrees"},
        Case{"data.glyphs.shift_pixels=-1", "data.glyphs.shift_pixels"},
        Case{"data.idx={images: 'a' labels: 'b' num_classes: -3}", "data.idx.num_classes"},
        Case{"sparsity.include=(", "sparsity.include"}, Case{"sparsity.exclude=[", "sparsity.exclude"},
        Case{"optimizer.adamw.eps=1e-46", "optimizer.adamw.eps"},
        Case{"learning_rate.warmup_steps=3", "learning_rate.warmup_steps"},
        Case{"learning_rate.decay_steps=3", "learning_rate.decay_steps"}, Case{"data.csv.label=a", "data.csv.path"},
        Case{"data.csv={path: 'a' eval_fraction: 1}", "data.csv.eval_fraction"},
        Case{"optimizer.sgd.momentum=1", "optimizer.sgd.momentum"},
        Case{"optimizer.sgd={momentum: 0 nesterov: true}", "optimizer.sgd.nesterov"},
        Case{"optimizer.adamw.eps=0", "optimizer.adamw.eps"}, Case{"learning_rate.lr=inf", "learning_rate.lr"},
        Case{"learning_rate.lr=1e39", "learning_rate.lr"}, Case{"learning_rate.min_lr=1", "learning_rate.min_lr"},
        Case{"learning_rate.warmup_steps=100000", "learning_rate.warmup_steps"},
        Case{"learning_rate.decay_steps=-1", "learning_rate.decay_steps"},
        Case{"sparsity.interval=0", "sparsity.interval"}, Case{"evaluation.every_steps=-1", "evaluation.every_steps"},
        Case{"evaluation.batch_size=-1", "evaluation.batch_size"},
        Case{"evaluation.max_batches=-1", "evaluation.max_batches"},
        Case{"model.mlp.activation=SWIGLU", "model.mlp.activation"}, Case{"model.gpt.depth=-1", "model.gpt.depth"},
        Case{"model.gpt.depth=0", "model.gpt.width"}, Case{"model.gpt.width=-64", "model.gpt.width"},
        Case{"model.gpt.heads=3", "model.gpt.heads: 3, expected a divisor of the width, which is 256"},
        Case{"model.gpt={width: 10 heads: 2}", "model.gpt.heads: 2, expected width / heads = 10 / 2 to be even"},
        Case{"model.gpt.kv_heads=3", "model.gpt.kv_heads: 3, expected a divisor of heads, which is 4"},
        Case{"model.gpt.kv_heads=-1", "model.gpt.kv_heads"}, Case{"model.gpt.heads=-4", "model.gpt.heads"},
        Case{"model.gpt.head_features=31", "model.gpt.head_features: 31, expected an even number"},
        Case{"model.gpt.head_features=-2", "model.gpt.head_features: -2, expected 0 to 1048576"},
        Case{"model.gpt={heads: 5 kv_heads: 2 head_features: 64}",
             "model.gpt.kv_heads: 2, expected a divisor of heads, which is 5"},
        Case{"model.gpt.sequence_length=0", "model.gpt.sequence_length"},
        Case{"model.gpt.attention_window=-1", "model.gpt.attention_window"},
        Case{"model.gpt.soft_cap=-1", "model.gpt.soft_cap"}, Case{"model.gpt.soft_cap=1e-300", "model.gpt.soft_cap"},
        Case{"model.gpt.soft_cap=1e300", "model.gpt.soft_cap"},
        Case{"model.gpt.init.embedding_std=1e39", "model.gpt.init.embedding_std"},
        Case{"model.gpt.width=200", "model.gpt.width: 200, expected a multiple of 64, or heads"},
        Case{"model.gpt.rotary_base=1", "model.gpt.rotary_base"},
        Case{"model.gpt.init.head_std=-1", "model.gpt.init.head_std"},
        Case{"model.gpt.init.matrix_std=nan", "model.gpt.init.matrix_std"},
        Case{"model.gpt.depth=2", "data: samples with classes, expected text { ... } or tokens { ... } for model.gpt"},
        Case{"data.text.path=x", "model: a classifier, expected gpt { ... }"},
        Case{"data.text.eval_fraction=0.5", "data.text.path"},
        Case{"data.text.eval_fraction=0", "data.text.eval_fraction"},
        Case{"data.tokens.vocab_size=65537", "data.tokens.vocab_size"},
        Case{"data.tokens.bytes_per_token=-1", "data.tokens.bytes_per_token"},
        Case{"training.tokens_per_step=128", "training.tokens_per_step: 128, expected 0 for a model"},
        Case{"optimizer.muon.ns_steps=0", "optimizer.muon.ns_steps"},
        Case{"optimizer.muon.momentum=1", "optimizer.muon.momentum"},
        Case{"optimizer.muon.adamw.beta2=1", "optimizer.muon.adamw.beta2"},
        Case{"optimizer.embedding.lr_scale=-1", "optimizer.embedding.lr_scale"},
        Case{"optimizer.head.lr_scale=inf", "optimizer.head.lr_scale"},
        Case{"optimizer.vectors.weight_decay=nan", "optimizer.vectors.weight_decay"},
        Case{"checkpoint.every_steps=-1", "checkpoint.every_steps"}, Case{"checkpoint.keep=0", "checkpoint.keep"},
        Case{"logging.every_steps=-1", "logging.every_steps"},
        Case{"logging.histogram_every_steps=-1", "logging.histogram_every_steps"}));

TEST(ValidateConfigTest, TheBestWeightsMustBeSaved) {
  EXPECT_NO_THROW(ValidateConfig(With({"checkpoint.final=BEST"})));
  EXPECT_ERROR(ValidateConfig(With({"checkpoint.final=BEST", "checkpoint.save_best=false"})), ErrorKind::kInvalidInput,
               HasSubstr("config: checkpoint.final: BEST, expected LAST where checkpoint.save_best is false"));
  EXPECT_ERROR(ValidateConfig(With({"training.stop_after_evaluations_without_gain=-1"})), ErrorKind::kInvalidInput,
               HasSubstr("config: training.stop_after_evaluations_without_gain: -1, expected 0 to"));
  EXPECT_ERROR(
      ValidateConfig(With({"training.stop_after_evaluations_without_gain=2", "evaluation.every_steps=0"})),
      ErrorKind::kInvalidInput,
      HasSubstr("training.stop_after_evaluations_without_gain: 2, expected 0 where evaluation.every_steps is 0"));
}

TEST(ValidateConfigTest, InitialMasksNeedAFileAndSparseWeights) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.end(), {"initial_masks=true", "sparsity.enabled=true"});
    return With(more);
  };
  EXPECT_NO_THROW(ValidateConfig(with({"initial_weights=x"})));
  EXPECT_ERROR(ValidateConfig(with({})), ErrorKind::kInvalidInput, HasSubstr("expected false without initial_weights"));
  EXPECT_ERROR(ValidateConfig(With({"initial_weights=x", "initial_masks=true"})), ErrorKind::kInvalidInput,
               HasSubstr("config: initial_masks: true, expected false for a dense run"));
  EXPECT_ERROR(ValidateConfig(with({"initial_weights=x", "sparsity.target=ACTIVATION"})), ErrorKind::kInvalidInput,
               HasSubstr("expected false where sparsity.target is ACTIVATION"));
  EXPECT_ERROR(ValidateConfig(with({"initial_weights=x", "sparsity.apply=false"})), ErrorKind::kInvalidInput,
               HasSubstr("expected false where sparsity.apply is false"));
}

}  // namespace
}  // namespace twofour::train
