#include "twofour/train/program/config/build.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iterator>
#include <optional>
#include <stdexcept>

#include "twofour/core/error.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/train/data/csv.h"
#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/glyphs.h"
#include "twofour/train/data/idx.h"
#include "twofour/train/data/text_corpus.h"
#include "twofour/train/data/token_file.h"
#include "twofour/train/program/config/gpt_sizes.h"
#include "twofour/train/program/config/lr_steps.h"

namespace twofour::train {
namespace {

nn::Activation ToActivation(proto::Activation activation) {
  switch (activation) {
    case proto::RELU_SQUARED:
      return nn::Activation::kReluSquared;
    case proto::RELU:
      return nn::Activation::kRelu;
    case proto::GELU:
      return nn::Activation::kGelu;
    case proto::SWIGLU:
      return nn::Activation::kSwiGlu;
  }
  throw std::logic_error("unknown activation");
}

CsvOptions::Header ToHeader(proto::Csv::Header header) {
  switch (header) {
    case proto::Csv::AUTO:
      return CsvOptions::Header::kAuto;
    case proto::Csv::YES:
      return CsvOptions::Header::kYes;
    case proto::Csv::NO:
      return CsvOptions::Header::kNo;
  }
  throw std::logic_error("unknown header");
}

std::optional<SamplesAsBefore> SamplesLike(const DataRecord* record) {
  if (record == nullptr) return std::nullopt;
  return SamplesAsBefore{record->class_names, {record->feature_mean, record->feature_std}};
}

std::optional<Vocabulary> VocabularyLike(const DataRecord* record) {
  if (record == nullptr || !record->vocabulary) return std::nullopt;
  return Vocabulary::FromJson(*record->vocabulary, "vocabulary.json");
}

/// Throws Error when the weights alone would take more memory than there is: before they are made, one by one.
void RequireFitsMemory(const proto::Gpt& gpt, int64_t vocab_size) {
  const auto width = static_cast<double>(GptWidth(gpt));
  const double hidden = gpt.hidden_features() == 0 ? 8.0 / 3 * width : static_cast<double>(gpt.hidden_features());
  const double weights = 2 * width * static_cast<double>(vocab_size) +
                         static_cast<double>(gpt.depth()) * (2 * width * width + 2 * width * hidden);  // At least.
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (weights * sizeof(float) <= memory) return;
  constexpr double kGibibyte = 1 << 30;
  throw Error(
      fmt::format("config: model.gpt: depth {} and width {} make {:.3g} weights or more, {:.0f} GiB, expected at "
                  "most the {:.0f} GiB of memory here",
                  gpt.depth(), GptWidth(gpt), weights, weights * sizeof(float) / kGibibyte, memory / kGibibyte));
}

}  // namespace

DataSplit BuildData(const proto::Data& data, const DataRecord* as_before, bool earlier_rules) {
  switch (data.kind_case()) {
    case proto::Data::kGlyphs: {
      const proto::Glyphs& glyphs = data.glyphs();
      return LoadGlyphs({.train_size = glyphs.train_size(),
                         .eval_size = glyphs.eval_size(),
                         .seed = glyphs.seed(),
                         .rotation_degrees = glyphs.rotation_degrees(),
                         .scale = glyphs.scale(),
                         .shift_pixels = glyphs.shift_pixels(),
                         .noise = glyphs.noise()});
    }
    case proto::Data::kIdx: {
      const proto::Idx& idx = data.idx();
      return LoadIdx({.images = idx.images(),
                      .labels = idx.labels(),
                      .eval_images = idx.eval_images(),
                      .eval_labels = idx.eval_labels(),
                      .eval_fraction = idx.eval_fraction(),
                      .split_seed = idx.split_seed(),
                      .num_classes = as_before == nullptr ? idx.num_classes() : std::ssize(as_before->class_names)});
    }
    case proto::Data::kCsv: {
      const proto::Csv& csv = data.csv();
      return LoadCsv({.path = csv.path(),
                      .eval_path = csv.eval_path(),
                      .label = csv.label(),
                      .delimiter = *ParseDelimiter(csv.delimiter()),
                      .decimal = csv.decimal()[0],
                      .header = ToHeader(csv.header()),
                      .standardize = csv.standardize(),
                      .eval_fraction = csv.eval_fraction(),
                      .split_seed = csv.split_seed(),
                      .as_before = SamplesLike(as_before),
                      .numeric_classes = csv.numeric_classes(),
                      .earlier_rules = earlier_rules});
    }
    case proto::Data::kText:
    case proto::Data::kTokens:
    case proto::Data::KIND_NOT_SET:
      break;
  }
  throw std::logic_error("data of no kind that has samples: validate the config first");
}

TokenData BuildTokenData(const proto::Data& data, const DataRecord* as_before) {
  if (data.has_text()) {
    const proto::Text& text = data.text();
    return LoadText({.path = text.path(),
                     .eval_path = text.eval_path(),
                     .eval_fraction = text.eval_fraction(),
                     .vocabulary = text.vocabulary() == proto::Text::CHARACTERS ? Vocabulary::Kind::kCharacters
                                                                                : Vocabulary::Kind::kBytes,
                     .as_before = VocabularyLike(as_before)});
  }
  if (!data.has_tokens()) throw std::logic_error("data of no kind that has tokens: validate the config first");
  const proto::Tokens& tokens = data.tokens();
  TokenData loaded = LoadTokens({.path = tokens.path(),
                                 .eval_path = tokens.eval_path(),
                                 .eval_fraction = tokens.eval_fraction(),
                                 .vocab_size = as_before == nullptr ? tokens.vocab_size() : *as_before->vocab_size});
  loaded.eval_bytes_per_token = tokens.bytes_per_token();
  return loaded;
}

std::unique_ptr<nn::Module> BuildModel(const proto::Model& model, const Dataset& data, uint64_t seed) {
  Generator generator(seed);
  switch (model.kind_case()) {
    case proto::Model::kMlp: {
      const proto::MlpStack& mlp = model.mlp();
      return std::make_unique<nn::MlpStack>(
          nn::MlpStackOptions{.in_features = data.features(),
                              .hidden_features = {mlp.hidden_features().begin(), mlp.hidden_features().end()},
                              .out_features = data.num_classes(),
                              .bias = mlp.bias(),
                              .activation = ToActivation(mlp.activation()),
                              .dropout = mlp.dropout()},
          generator);
    }
    case proto::Model::kResidualMlp: {
      const proto::ResidualMlp& mlp = model.residual_mlp();
      return std::make_unique<nn::ResidualMlp>(
          nn::ResidualMlpOptions{.in_features = data.features(),
                                 .width = mlp.width(),
                                 .hidden_features = mlp.hidden_features(),
                                 .num_blocks = mlp.num_blocks(),
                                 .out_features = data.num_classes(),
                                 .bias = mlp.bias(),
                                 .activation = ToActivation(mlp.activation()),
                                 .dropout = mlp.dropout(),
                                 .zero_init_projection = mlp.zero_init_projection()},
          generator);
    }
    case proto::Model::kGpt:
    case proto::Model::KIND_NOT_SET:
      break;
  }
  throw std::logic_error("model of no kind that takes samples: validate the config first");
}

std::unique_ptr<nn::Gpt> BuildGpt(const proto::Gpt& gpt, int64_t vocab_size, uint64_t seed) {
  const int64_t width = GptWidth(gpt);
  RequireFitsMemory(gpt, vocab_size);
  Generator generator(seed);
  return std::make_unique<nn::Gpt>(nn::GptOptions{.vocab_size = vocab_size,
                                                  .sequence_length = gpt.sequence_length(),
                                                  .depth = gpt.depth(),
                                                  .width = width,
                                                  .heads = GptHeads(gpt),
                                                  .kv_heads = gpt.kv_heads(),
                                                  .hidden_features = gpt.hidden_features(),
                                                  .attention_window = gpt.attention_window(),
                                                  .activation = ToActivation(gpt.activation()),
                                                  .soft_cap = gpt.soft_cap(),
                                                  .rotary_base = gpt.rotary_base(),
                                                  .init = {.embedding_std = gpt.init().embedding_std(),
                                                           .head_std = gpt.init().head_std(),
                                                           .matrix_std = gpt.init().matrix_std(),
                                                           .projection_std = gpt.init().projection_std()}},
                                   generator);
}

optim::LrSchedule BuildLrSchedule(const proto::LearningRate& rate, int64_t total_steps) {
  const LrSteps steps = FittingLrSteps(rate, total_steps);
  switch (rate.schedule()) {
    case proto::LearningRate::CONSTANT:
      return optim::ConstantLr(rate.lr());
    case proto::LearningRate::WARMUP_COSINE:
      return optim::WarmupCosineLr(
          {.lr = rate.lr(), .min_lr = rate.min_lr(), .warmup_steps = steps.warmup, .total_steps = total_steps});
    case proto::LearningRate::WARMUP_STABLE_DECAY:
      return optim::WarmupStableDecayLr({.lr = rate.lr(),
                                         .min_lr = rate.min_lr(),
                                         .warmup_steps = steps.warmup,
                                         .decay_steps = steps.decay,
                                         .total_steps = total_steps});
  }
  throw std::logic_error("unknown learning-rate schedule");
}

ClassificationOptions BuildClassificationOptions(const proto::Config& config) {
  constexpr int64_t kEvalSamples = 500;
  const int64_t eval_batch_size = config.evaluation().batch_size();
  return {.batch_size = config.training().batch_size(),
          .eval_batch_size = eval_batch_size == 0 ? kEvalSamples : eval_batch_size,
          .shuffle = config.training().shuffle(),
          .seed = config.seed()};
}

LanguageModelOptions BuildLanguageModelOptions(const proto::Config& config) {
  const int64_t batch_size = config.training().batch_size(), eval_batch_size = config.evaluation().batch_size();
  return {.batch_size = batch_size,
          .eval_batch_size = eval_batch_size == 0 ? batch_size : eval_batch_size,
          .eval_max_batches = config.evaluation().max_batches(),
          .seed = config.seed()};
}

int64_t AccumulateSteps(const proto::Config& config) {
  const proto::Training& training = config.training();
  if (training.tokens_per_step() == 0) return training.accumulate_steps();
  return training.tokens_per_step() / (training.batch_size() * config.model().gpt().sequence_length());
}

TrainerOptions BuildTrainerOptions(const proto::Config& config) {
  return {.steps = config.training().steps(),
          .accumulate_steps = AccumulateSteps(config),
          .clip_grad_norm = config.training().clip_grad_norm(),
          .eval_every_steps = config.evaluation().every_steps(),
          .log_every_steps = config.logging().every_steps(),
          .checkpoint_every_steps = config.checkpoint().every_steps(),
          .histogram_every_steps = config.logging().tensorboard() ? config.logging().histogram_every_steps() : 0,
          .save_best = config.checkpoint().save_best(),
          .stop_after_evaluations_without_gain = config.training().stop_after_evaluations_without_gain(),
          .evaluate_first = config.initial_masks()};
}

}  // namespace twofour::train
