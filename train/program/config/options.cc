#include "twofour/train/program/config/options.h"

#include <stdexcept>

#include "twofour/train/data/csv_separator.h"

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
    case proto::GELU_TANH:
      return nn::Activation::kGeluTanh;
  }
  throw std::logic_error("unknown activation");
}

proto::Activation ToProto(nn::Activation activation) {
  switch (activation) {
    case nn::Activation::kReluSquared:
      return proto::RELU_SQUARED;
    case nn::Activation::kRelu:
      return proto::RELU;
    case nn::Activation::kGelu:
      return proto::GELU;
    case nn::Activation::kSwiGlu:
      return proto::SWIGLU;
    case nn::Activation::kGeluTanh:
      return proto::GELU_TANH;
  }
  throw std::logic_error("unknown activation");
}

proto::Gpt::Norm ToProto(nn::NormKind norm) {
  switch (norm) {
    case nn::NormKind::kRms:
      return proto::Gpt::RMS;
    case nn::NormKind::kWeightedRms:
      return proto::Gpt::WEIGHTED_RMS;
    case nn::NormKind::kLayer:
      return proto::Gpt::LAYER;
  }
  throw std::logic_error("unknown norm");
}

nn::NormKind ToNorm(proto::Gpt::Norm norm) {
  switch (norm) {
    case proto::Gpt::RMS:
      return nn::NormKind::kRms;
    case proto::Gpt::WEIGHTED_RMS:
      return nn::NormKind::kWeightedRms;
    case proto::Gpt::LAYER:
      return nn::NormKind::kLayer;
  }
  throw std::logic_error("unknown norm");
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

CsvOptions::Missing ToMissing(proto::Csv::Missing missing) {
  switch (missing) {
    case proto::Csv::FORBID:
      return CsvOptions::Missing::kRefuse;
    case proto::Csv::MEAN:
      return CsvOptions::Missing::kMean;
    case proto::Csv::CATEGORY:
      return CsvOptions::Missing::kCategory;
  }
  throw std::logic_error("unknown treatment of missing values");
}

std::vector<std::string> AsVector(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

}  // namespace

GlyphsOptions ToOptions(const proto::Glyphs& glyphs) {
  return {.train_size = glyphs.train_size(),
          .eval_size = glyphs.eval_size(),
          .seed = glyphs.seed(),
          .rotation_degrees = glyphs.rotation_degrees(),
          .scale = glyphs.scale(),
          .shift_pixels = glyphs.shift_pixels(),
          .noise = glyphs.noise()};
}

IdxOptions ToOptions(const proto::Idx& idx) {
  return {.images = idx.images(),
          .labels = idx.labels(),
          .eval_images = idx.eval_images(),
          .eval_labels = idx.eval_labels(),
          .eval_fraction = idx.eval_fraction(),
          .split_seed = idx.split_seed(),
          .num_classes = idx.num_classes()};
}

CsvOptions ToOptions(const proto::Csv& csv) {
  return {.path = csv.path(),
          .eval_path = csv.eval_path(),
          .label = csv.label(),
          .targets = AsVector(csv.target()),
          .drop = AsVector(csv.drop()),
          .categorical = AsVector(csv.categorical()),
          .words = csv.words() == proto::Csv::CATEGORIES ? CsvOptions::Words::kCategories : CsvOptions::Words::kRefuse,
          .missing = ToMissing(csv.missing()),
          .delimiter = ParseDelimiter(csv.delimiter()).value_or(','),
          .decimal = csv.decimal().empty() ? '.' : csv.decimal()[0],
          .thousands = csv.thousands().size() == 1 ? csv.thousands()[0] : '\0',
          .header = ToHeader(csv.header()),
          .standardize = csv.standardize(),
          .standardize_targets = csv.standardize_targets(),
          .divide_by = csv.divide_by(),
          .eval_fraction = csv.eval_fraction(),
          .split_seed = csv.split_seed(),
          .numeric_classes = csv.numeric_classes()};
}

TextOptions ToOptions(const proto::Text& text) {
  return {.path = text.path(),
          .eval_path = text.eval_path(),
          .eval_fraction = text.eval_fraction(),
          .vocabulary =
              text.vocabulary() == proto::Text::CHARACTERS ? Vocabulary::Kind::kCharacters : Vocabulary::Kind::kBytes,
          .tokenizer = text.tokenizer()};
}

TokensOptions ToOptions(const proto::Tokens& tokens) {
  return {.path = tokens.path(),
          .eval_path = tokens.eval_path(),
          .eval_fraction = tokens.eval_fraction(),
          .vocab_size = tokens.vocab_size(),
          .tokenizer = tokens.tokenizer()};
}

nn::MlpStackOptions ToOptions(const proto::MlpStack& mlp) {
  return {.hidden_features = {mlp.hidden_features().begin(), mlp.hidden_features().end()},
          .bias = mlp.bias(),
          .activation = ToActivation(mlp.activation()),
          .dropout = mlp.dropout()};
}

nn::ResidualMlpOptions ToOptions(const proto::ResidualMlp& mlp) {
  return {.width = mlp.width(),
          .hidden_features = mlp.hidden_features(),
          .num_blocks = mlp.num_blocks(),
          .bias = mlp.bias(),
          .activation = ToActivation(mlp.activation()),
          .dropout = mlp.dropout(),
          .zero_init_projection = mlp.zero_init_projection()};
}

nn::ConvNetOptions ToOptions(const proto::ConvNet& net) {
  nn::ConvNetOptions options{.hidden_features = {net.hidden_features().begin(), net.hidden_features().end()},
                             .bias = net.bias(),
                             .activation = ToActivation(net.activation()),
                             .dropout = net.dropout()};
  options.image = {net.image().height(), net.image().width(), net.image().channels()};
  for (const proto::Convolution& convolution : net.convolutions()) {
    options.convolutions.push_back({.out_channels = convolution.channels(),
                                    .kernel_size = convolution.kernel_size(),
                                    .stride = convolution.stride(),
                                    .padding = convolution.padding(),
                                    .pool = convolution.pool()});
  }
  return options;
}

FieldPath ConvNetFields() { return {"model.conv_net", {{"out_channels", "channels"}}}; }

FieldPath GptFields() {
  return {"model.gpt",
          {{"rotary", ""},
           {"base", "rotary_base"},
           {"counterclockwise", "rotary_counterclockwise"},
           {"scaling", "rotary_scaling"}}};
}

nn::GptOptions ToOptions(const proto::Gpt& gpt) {
  return {.vocab_size = gpt.vocab_size(),
          .sequence_length = gpt.sequence_length(),
          .depth = gpt.depth(),
          .width = gpt.width(),
          .heads = gpt.heads(),
          .kv_heads = gpt.kv_heads(),
          .head_features = gpt.head_features(),
          .hidden_features = gpt.hidden_features(),
          .attention_window = gpt.attention_window(),
          .activation = ToActivation(gpt.activation()),
          .soft_cap = gpt.soft_cap(),
          .positions = gpt.positions() == proto::Gpt::LEARNED ? nn::Positions::kLearned : nn::Positions::kRotary,
          .learned_positions = gpt.learned_positions(),
          .rotary = {.base = gpt.rotary_base(),
                     .counterclockwise = gpt.rotary_counterclockwise(),
                     .scaling = {.factor = gpt.rotary_scaling().factor(),
                                 .low_frequency_factor = gpt.rotary_scaling().low_frequency_factor(),
                                 .high_frequency_factor = gpt.rotary_scaling().high_frequency_factor(),
                                 .original_length = gpt.rotary_scaling().original_length()}},
          .norm = ToNorm(gpt.norm()),
          .norm_eps = gpt.norm_eps(),
          .embedding_norm = gpt.embedding_norm(),
          .query_key_norm = gpt.query_key_norm(),
          .bias = gpt.bias(),
          .tied_head = gpt.tied_head(),
          .init = {.embedding_std = gpt.init().embedding_std(),
                   .head_std = gpt.init().head_std(),
                   .matrix_std = gpt.init().matrix_std(),
                   .projection_std = gpt.init().projection_std()}};
}

proto::Gpt ToProto(const nn::GptOptions& options) {
  proto::Gpt gpt;
  gpt.set_vocab_size(options.vocab_size);
  gpt.set_sequence_length(options.sequence_length);
  gpt.set_depth(options.depth);
  gpt.set_width(options.width);
  gpt.set_heads(options.heads);
  gpt.set_kv_heads(options.kv_heads);
  // Heads that divide the width need no size of their own.
  if (options.head_features * options.heads != options.width) gpt.set_head_features(options.head_features);
  gpt.set_hidden_features(options.hidden_features);
  // What sees all of a sequence goes on to do so when its length is changed.
  gpt.set_attention_window(options.attention_window == options.sequence_length ? 0 : options.attention_window);
  gpt.set_activation(ToProto(options.activation));
  gpt.set_soft_cap(options.soft_cap);
  gpt.set_norm(ToProto(options.norm));
  gpt.set_norm_eps(options.norm_eps);
  gpt.set_embedding_norm(options.embedding_norm);
  gpt.set_query_key_norm(options.query_key_norm);
  gpt.set_bias(options.bias);
  gpt.set_tied_head(options.tied_head);
  if (options.positions == nn::Positions::kLearned) {
    gpt.set_positions(proto::Gpt::LEARNED);
    gpt.set_learned_positions(options.learned_positions);
    return gpt;
  }
  gpt.set_rotary_base(options.rotary.base);
  gpt.set_rotary_counterclockwise(options.rotary.counterclockwise);
  const RotaryScaling& scaling = options.rotary.scaling;
  if (scaling.factor == 1) return gpt;
  gpt.mutable_rotary_scaling()->set_factor(scaling.factor);
  if (scaling.original_length == 0) return gpt;
  gpt.mutable_rotary_scaling()->set_low_frequency_factor(scaling.low_frequency_factor);
  gpt.mutable_rotary_scaling()->set_high_frequency_factor(scaling.high_frequency_factor);
  gpt.mutable_rotary_scaling()->set_original_length(scaling.original_length);
  return gpt;
}

optim::SgdOptions ToOptions(const proto::Sgd& sgd) {
  return {.momentum = sgd.momentum(), .nesterov = sgd.nesterov(), .weight_decay = sgd.weight_decay()};
}

optim::AdamWOptions ToOptions(const proto::AdamW& adamw) {
  return {.beta1 = adamw.beta1(), .beta2 = adamw.beta2(), .eps = adamw.eps(), .weight_decay = adamw.weight_decay()};
}

optim::MuonOptions ToOptions(const proto::Muon& muon) {
  return {.momentum = muon.momentum(),
          .nesterov = muon.nesterov(),
          .ns_steps = muon.ns_steps(),
          .weight_decay = muon.weight_decay()};
}

optim::ParameterGroup ToOptions(const proto::ParameterGroup& group, double weight_decay) {
  return {.parameters = {},
          .weight_decay = group.weight_decay() < 0 ? weight_decay : group.weight_decay(),
          .lr_scale = group.lr_scale()};
}

DType ToActivationDType(proto::Training::Precision precision) {
  switch (precision) {
    case proto::Training::FP32:
      return DType::kF32;
    case proto::Training::BF16:
    case proto::Training::FP8:
    case proto::Training::NVFP4:
      return DType::kBF16;
  }
  throw std::logic_error("unknown precision");
}

ClassificationOptions BuildClassificationOptions(const proto::Config& config) {
  constexpr int64_t kEvalSamples = 500;
  const int64_t eval_batch_size = config.evaluation().batch_size();
  return {.batch_size = config.training().batch_size(),
          .eval_batch_size = eval_batch_size == 0 ? kEvalSamples : eval_batch_size,
          .shuffle = config.training().shuffle(),
          .seed = config.seed(),
          .label_smoothing = config.training().label_smoothing()};
}

RegressionOptions BuildRegressionOptions(const proto::Config& config) {
  const ClassificationOptions samples = BuildClassificationOptions(config);
  const bool huber = config.training().regression_loss() == proto::Training::HUBER;
  return {.batch_size = samples.batch_size,
          .eval_batch_size = samples.eval_batch_size,
          .shuffle = samples.shuffle,
          .seed = samples.seed,
          .loss = huber ? RegressionOptions::Loss::kHuber : RegressionOptions::Loss::kMeanSquaredError,
          .huber_delta = config.training().huber_delta()};
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
  const int64_t batch_size = training.batch_size(), length = config.model().gpt().sequence_length();
  const bool known = batch_size >= 1 && batch_size <= kMaxCount && length >= 1 && length <= kMaxFeatures;
  if (training.tokens_per_step() == 0 || !known) return training.accumulate_steps();
  return training.tokens_per_step() / (batch_size * length);
}

TrainerOptions BuildTrainerOptions(const proto::Config& config) {
  return {.steps = config.training().steps(),
          .accumulate_steps = AccumulateSteps(config),
          .shards = config.training().shards(),
          .clip_grad_norm = config.training().clip_grad_norm(),
          .eval_every_steps = config.evaluation().every_steps(),
          .log_every_steps = config.logging().every_steps(),
          .checkpoint_every_steps = config.checkpoint().every_steps(),
          .histogram_every_steps = config.logging().tensorboard() ? config.logging().histogram_every_steps() : 0,
          .save_best = config.checkpoint().save_best(),
          .stop_after_evaluations_without_gain = config.training().stop_after_evaluations_without_gain(),
          .evaluate_first = config.initial_masks() || config.has_one_shot()};
}

}  // namespace twofour::train
