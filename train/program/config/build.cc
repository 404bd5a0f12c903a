#include "twofour/train/program/config/build.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iterator>
#include <optional>
#include <stdexcept>

#include "twofour/core/error.h"
#include "twofour/train/program/config/lr_steps.h"
#include "twofour/train/program/config/options.h"

namespace twofour::train {
namespace {

std::optional<SamplesAsBefore> SamplesLike(const DataRecord* record) {
  if (record == nullptr) return std::nullopt;
  return SamplesAsBefore{record->class_names, SchemaOf(*record)};
}

std::optional<Vocabulary> VocabularyLike(const DataRecord* record) {
  if (record == nullptr || !record->vocabulary) return std::nullopt;
  return Vocabulary::FromJson(*record->vocabulary, "vocabulary.json");
}

/// Throws Error if the weights alone would take more memory than the machine has. Must be called before the model is
/// built, because its weights are allocated one by one.
void RequireFitsMemory(const nn::GptOptions& gpt) {
  const nn::GptOptions resolved = nn::Resolved(gpt);
  const int64_t columns = resolved.width;
  const auto width = static_cast<double>(columns);
  const double hidden = gpt.hidden_features == 0 ? 8.0 / 3 * width : static_cast<double>(gpt.hidden_features);
  const auto heads = static_cast<double>(resolved.heads * resolved.head_features);
  const double weights = 2 * width * static_cast<double>(gpt.vocab_size) +
                         static_cast<double>(gpt.depth) * (2 * width * heads + 2 * width * hidden);  // A lower bound.
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (weights * sizeof(float) <= memory) return;
  constexpr double kGibibyte = 1 << 30;
  throw Error(
      fmt::format("config: model.gpt: depth {} and width {} make {:.3g} weights or more, {:.0f} GiB, expected at "
                  "most the {:.0f} GiB of memory here",
                  gpt.depth, columns, weights, weights * sizeof(float) / kGibibyte, memory / kGibibyte));
}

/// The options of a net for samples of these sizes. Throws Error if they are not the images that the net takes.
nn::ConvNetOptions ConvNetFor(const proto::ConvNet& net, const SampleSizes& sizes) {
  nn::ConvNetOptions options = ToOptions(net);
  options.out_features = sizes.outputs;
  const Shape& shape = sizes.shape;
  const bool is_image = shape.size() == 2 || shape.size() == 3;
  const nn::ImageSize of_data =
      is_image ? nn::ImageSize{shape[0], shape[1], shape.size() == 3 ? shape[2] : 1} : nn::ImageSize{};
  nn::ImageSize& image = options.image;
  if (image == nn::ImageSize{}) {
    if (!is_image) {
      throw Error(
          fmt::format("config: model.conv_net.image: missing, expected image {{ height: ... width: ... }}: the "
                      "data has samples of {} features, which do not say how they lie in an image",
                      sizes.features));
    }
    image = of_data;
  } else if (is_image ? image != of_data : image.height * image.width * image.channels != sizes.features) {
    const auto text = [](const nn::ImageSize& size) {
      return fmt::format("{} x {} x {}", size.height, size.width, size.channels);
    };
    throw Error(fmt::format("config: model.conv_net.image: {}, expected {}, as the data has", text(image),
                            is_image ? text(of_data) : fmt::format("{} numbers", sizes.features)));
  }
  Faults faults = Faults::OfConfig();
  const FieldPath at = ConvNetFields();
  Check(image, at.In("image"), faults);
  faults.Throw();
  CheckSizes(options, at, faults);
  faults.Throw();
  return options;
}

}  // namespace

DataSplit BuildData(const proto::Data& data, const DataRecord* as_before, bool earlier_rules) {
  switch (data.kind_case()) {
    case proto::Data::kGlyphs:
      return LoadGlyphs(ToOptions(data.glyphs()));
    case proto::Data::kIdx: {
      IdxOptions idx = ToOptions(data.idx());
      if (as_before != nullptr) idx.num_classes = std::ssize(as_before->class_names);
      return LoadIdx(idx);
    }
    case proto::Data::kCsv: {
      CsvOptions csv = ToOptions(data.csv());
      csv.as_before = SamplesLike(as_before);
      csv.earlier_rules = earlier_rules;
      return LoadCsv(csv);
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
    TextOptions text = ToOptions(data.text());
    text.as_before = VocabularyLike(as_before);
    return LoadText(text);
  }
  if (!data.has_tokens()) throw std::logic_error("data of no kind that has tokens: validate the config first");
  TokensOptions tokens = ToOptions(data.tokens());
  if (as_before != nullptr) tokens.vocab_size = *as_before->vocab_size;
  tokens.as_before = VocabularyLike(as_before);
  TokenData loaded = LoadTokens(tokens);
  if (data.tokens().bytes_per_token() > 0) loaded.eval_bytes_per_token = data.tokens().bytes_per_token();
  return loaded;
}

std::unique_ptr<nn::Model> BuildModel(const proto::Model& model, const SampleSizes& sizes, uint64_t seed) {
  Generator generator(seed);
  switch (model.kind_case()) {
    case proto::Model::kMlp: {
      nn::MlpStackOptions options = ToOptions(model.mlp());
      options.in_features = sizes.features;
      options.out_features = sizes.outputs;
      return std::make_unique<nn::MlpStack>(options, generator);
    }
    case proto::Model::kResidualMlp: {
      nn::ResidualMlpOptions options = ToOptions(model.residual_mlp());
      options.in_features = sizes.features;
      options.out_features = sizes.outputs;
      return std::make_unique<nn::ResidualMlp>(options, generator);
    }
    case proto::Model::kConvNet:
      return std::make_unique<nn::ConvNet>(ConvNetFor(model.conv_net(), sizes), generator);
    case proto::Model::kGpt:
    case proto::Model::KIND_NOT_SET:
      break;
  }
  throw std::logic_error("model of no kind that takes samples: validate the config first");
}

std::unique_ptr<nn::Gpt> BuildGpt(const proto::Gpt& gpt, int64_t vocab_size, uint64_t seed) {
  nn::GptOptions options = ToOptions(gpt);
  if (options.vocab_size == 0) options.vocab_size = vocab_size;
  if (options.vocab_size < vocab_size) {
    throw Error(fmt::format("config: model.gpt.vocab_size: {}, expected 0 or at least {}, the data's tokens",
                            options.vocab_size, vocab_size));
  }
  RequireFitsMemory(options);
  Generator generator(seed);
  return std::make_unique<nn::Gpt>(options, generator);
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

}  // namespace twofour::train
