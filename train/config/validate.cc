#include "twofour/train/config/validate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <regex>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/config/gpt_sizes.h"

namespace twofour::train {
namespace {

// Far above anything that fits into memory, and low enough that products of two stay inside 63 bits.
constexpr int64_t kMaxFeatures = 1 << 20;
constexpr int64_t kMaxCount = int64_t{1} << 40;
constexpr int64_t kMaxAccumulation = 1 << 20;

/// Collects faults, so that the user sees all of them at once.
class Faults {
 public:
  template <typename T>
  void Expect(bool holds, const std::string& path, const T& value, const std::string& expected) {
    if (!holds) lines_.push_back(fmt::format("config: {}: {}, expected {}", path, value, expected));
  }
  void Missing(const std::string& path, const std::string& expected) {
    lines_.push_back(fmt::format("config: {}: missing, expected {}", path, expected));
  }
  void InRange(const std::string& path, int64_t value, int64_t low, int64_t high) {
    Expect(value >= low && value <= high, path, value, fmt::format("{} to {}", low, high));
  }
  void AtLeast(const std::string& path, double value, double low) {
    Expect(value >= low && std::isfinite(value), path, value, fmt::format("a finite number of at least {}", low));
  }
  void Between(const std::string& path, double value, double low, double high) {
    Expect(value >= low && value <= high, path, value, fmt::format("{} to {}", low, high));
  }
  void Regex(const std::string& path, const std::string& pattern) {
    if (pattern.size() > 1000) return Expect(false, path, "a long pattern", "at most 1000 characters");
    try {
      const std::regex compiled(pattern);
    } catch (const std::regex_error&) {
      Expect(false, path, fmt::format("'{}'", pattern), "a regular expression");
    }
  }
  void Probability(const std::string& path, double value) {
    Expect(value >= 0 && value < 1, path, value, "a number in [0, 1)");
  }
  void OpenFraction(const std::string& path, double value) {
    Expect(value > 0 && value < 1, path, value, "a number in (0, 1)");
  }
  void Finite(const std::string& path, double value) { Expect(std::isfinite(value), path, value, "a finite number"); }
  void NotEmpty(const std::string& path, const std::string& value) {
    if (value.empty()) Missing(path, "a file's path");
  }
  void Throw() const {
    if (!lines_.empty()) throw Error(fmt::format("{}", fmt::join(lines_, "\n")));
  }

 private:
  std::vector<std::string> lines_;
};

void CheckGpt(const proto::Gpt& gpt, Faults& faults) {
  const std::string at = "model.gpt.";
  faults.InRange(at + "depth", gpt.depth(), 0, 1000);
  faults.InRange(at + "width", gpt.width(), 0, kMaxFeatures);
  faults.InRange(at + "hidden_features", gpt.hidden_features(), 0, kMaxFeatures);
  faults.InRange(at + "sequence_length", gpt.sequence_length(), 1, kMaxFeatures);
  faults.InRange(at + "attention_window", gpt.attention_window(), 0, kMaxFeatures);
  // What a float holds comfortably.
  constexpr double kMaxStd = 1e6;
  faults.Expect(gpt.soft_cap() == 0 || (gpt.soft_cap() >= 1e-3 && gpt.soft_cap() <= 1e6), at + "soft_cap",
                gpt.soft_cap(), "0 or 0.001 to 1000000");
  faults.Expect(gpt.rotary_base() > 1 && gpt.rotary_base() <= 1e12, at + "rotary_base", gpt.rotary_base(),
                "a number above 1, at most 1e12");
  faults.Between(at + "init.embedding_std", gpt.init().embedding_std(), 0, kMaxStd);
  faults.Between(at + "init.head_std", gpt.init().head_std(), 0, kMaxStd);
  faults.Between(at + "init.matrix_std", gpt.init().matrix_std(), -kMaxStd, kMaxStd);
  faults.Between(at + "init.projection_std", gpt.init().projection_std(), 0, kMaxStd);
  faults.Expect(gpt.heads() >= 0, at + "heads", gpt.heads(), "at least 0");
  faults.Expect(gpt.kv_heads() >= 0, at + "kv_heads", gpt.kv_heads(), "at least 0");
  const int64_t width = GptWidth(gpt), heads = GptHeads(gpt);
  faults.Expect(width >= 1, at + "width", width, "a positive width, or a depth above 0 to derive it from");
  if (width < 1 || heads < 1 || gpt.kv_heads() < 0) return;  // Said already.
  if (width % heads != 0 && gpt.heads() == 0) {
    faults.Expect(false, at + "width", width, "a multiple of 64, or heads that divide it");
  } else if (width % heads != 0) {
    faults.Expect(false, at + "heads", heads, fmt::format("a divisor of the width, which is {}", width));
  } else {
    faults.Expect(width / heads % 2 == 0, at + "heads", heads,
                  fmt::format("width / heads = {} / {} to be even: rotary positions turn pairs", width, heads));
  }
  faults.Expect(heads % GptKvHeads(gpt) == 0, at + "kv_heads", GptKvHeads(gpt),
                fmt::format("a divisor of heads, which is {}", heads));
}

void CheckModel(const proto::Model& model, Faults& faults) {
  switch (model.kind_case()) {
    case proto::Model::kMlp: {
      const proto::MlpStack& mlp = model.mlp();
      faults.InRange("model.mlp.hidden_features (how many)", mlp.hidden_features_size(), 0, 1000);
      for (int i = 0; i < mlp.hidden_features_size(); ++i) {
        faults.InRange(fmt::format("model.mlp.hidden_features[{}]", i), mlp.hidden_features(i), 1, kMaxFeatures);
      }
      faults.Probability("model.mlp.dropout", mlp.dropout());
      faults.Expect(mlp.activation() != proto::SWIGLU, "model.mlp.activation", "SWIGLU",
                    "one that needs no gate: RELU_SQUARED, RELU or GELU");
      return;
    }
    case proto::Model::kResidualMlp: {
      const proto::ResidualMlp& mlp = model.residual_mlp();
      faults.InRange("model.residual_mlp.width", mlp.width(), 1, kMaxFeatures);
      faults.InRange("model.residual_mlp.hidden_features", mlp.hidden_features(), 0, kMaxFeatures);
      faults.InRange("model.residual_mlp.num_blocks", mlp.num_blocks(), 0, 1000);
      faults.Probability("model.residual_mlp.dropout", mlp.dropout());
      return;
    }
    case proto::Model::kGpt:
      return CheckGpt(model.gpt(), faults);
    case proto::Model::KIND_NOT_SET:
      return faults.Missing("model", "mlp { ... }, residual_mlp { ... } or gpt { ... }");
  }
}

void CheckData(const proto::Data& data, Faults& faults) {
  constexpr int64_t kMaxGlyphs = 10'000'000;
  switch (data.kind_case()) {
    case proto::Data::kGlyphs: {
      const proto::Glyphs& glyphs = data.glyphs();
      faults.InRange("data.glyphs.train_size", glyphs.train_size(), 1, kMaxGlyphs);
      faults.InRange("data.glyphs.eval_size", glyphs.eval_size(), 1, kMaxGlyphs);
      faults.Between("data.glyphs.rotation_degrees", glyphs.rotation_degrees(), 0, 180);
      faults.Between("data.glyphs.scale", glyphs.scale(), 0, 0.9);
      faults.Between("data.glyphs.shift_pixels", glyphs.shift_pixels(), 0, 14);
      faults.Between("data.glyphs.noise", glyphs.noise(), 0, 1);
      return;
    }
    case proto::Data::kIdx: {
      const proto::Idx& idx = data.idx();
      faults.NotEmpty("data.idx.images", idx.images());
      faults.NotEmpty("data.idx.labels", idx.labels());
      faults.Expect(idx.eval_images().empty() == idx.eval_labels().empty(), "data.idx.eval_images, eval_labels",
                    fmt::format("'{}', '{}'", idx.eval_images(), idx.eval_labels()), "both or neither");
      faults.OpenFraction("data.idx.eval_fraction", idx.eval_fraction());
      faults.Expect(idx.num_classes() == 0 || (idx.num_classes() >= 2 && idx.num_classes() <= 256),
                    "data.idx.num_classes", idx.num_classes(), "0 or 2 to 256");
      return;
    }
    case proto::Data::kCsv: {
      const proto::Csv& csv = data.csv();
      faults.NotEmpty("data.csv.path", csv.path());
      faults.Expect(csv.delimiter().size() == 1 && csv.delimiter().find_first_of("\"\r\n") == std::string::npos,
                    "data.csv.delimiter", fmt::format("'{}'", csv.delimiter()),
                    "one character that is no quote and no line break");
      faults.OpenFraction("data.csv.eval_fraction", csv.eval_fraction());
      return;
    }
    case proto::Data::kText: {
      const proto::Text& text = data.text();
      faults.NotEmpty("data.text.path", text.path());
      faults.OpenFraction("data.text.eval_fraction", text.eval_fraction());
      return;
    }
    case proto::Data::kTokens: {
      const proto::Tokens& tokens = data.tokens();
      faults.NotEmpty("data.tokens.path", tokens.path());
      faults.OpenFraction("data.tokens.eval_fraction", tokens.eval_fraction());
      faults.Expect(tokens.vocab_size() == 0 || (tokens.vocab_size() >= 2 && tokens.vocab_size() <= 65536),
                    "data.tokens.vocab_size", tokens.vocab_size(), "0 or 2 to 65536");
      faults.AtLeast("data.tokens.bytes_per_token", tokens.bytes_per_token(), 0);
      return;
    }
    case proto::Data::KIND_NOT_SET:
      return faults.Missing("data", "glyphs { ... }, idx { ... }, csv { ... }, text { ... } or tokens { ... }");
  }
}

/// That the model takes what the data holds.
void CheckFit(const proto::Config& config, Faults& faults) {
  const proto::Model& model = config.model();
  const proto::Data& data = config.data();
  if (model.kind_case() == proto::Model::KIND_NOT_SET || data.kind_case() == proto::Data::KIND_NOT_SET) return;
  if (model.has_gpt() && config.sparsity().enabled() && config.sparsity().target() == proto::Sparsity::ACTIVATION) {
    faults.Expect(
        false, "sparsity.target", "ACTIVATION",
        "WEIGHT for model.gpt: a tile of activations spans four tokens, of which the first must not see the last");
  }
  const bool is_text = data.has_text() || data.has_tokens();
  if (model.has_gpt() && !is_text) {
    faults.Expect(false, "data", "samples with classes", "text { ... } or tokens { ... } for model.gpt");
  } else if (!model.has_gpt() && is_text) {
    faults.Expect(false, "model", "a classifier", "gpt { ... } for data.text and data.tokens");
  }
}

/// Tokens of one forward pass: what they take is out of reach long before the product overflows.
void CheckTokensPerPass(const std::string& path, int64_t batch_size, int64_t length, Faults& faults) {
  constexpr int64_t kMaxTokens = 1 << 27;
  if (length < 1 || length > kMaxFeatures) return;  // Said elsewhere.
  faults.Expect(batch_size <= kMaxTokens / length, path, batch_size,
                fmt::format("at most {} tokens in a forward pass, that is {} sequences of {}", kMaxTokens,
                            kMaxTokens / length, length));
}

void CheckTokensPerStep(const proto::Config& config, Faults& faults) {
  const proto::Training& training = config.training();
  if (training.tokens_per_step() == 0) return;
  const std::string path = "training.tokens_per_step";
  faults.InRange(path, training.tokens_per_step(), 0, kMaxCount);
  faults.Expect(config.model().has_gpt(), path, training.tokens_per_step(), "0 for a model that reads no tokens");
  faults.Expect(training.accumulate_steps() == 1, "training.accumulate_steps", training.accumulate_steps(),
                "1 beside tokens_per_step, which decides it");
  const int64_t batch_size = training.batch_size(), length = config.model().gpt().sequence_length();
  if (batch_size < 1 || batch_size > kMaxCount || length < 1 || length > kMaxFeatures) return;  // Said elsewhere.
  faults.Expect(training.tokens_per_step() / (batch_size * length) <= kMaxAccumulation, path,
                training.tokens_per_step(),
                fmt::format("at most {} times batch_size * sequence_length", kMaxAccumulation));
  faults.Expect(training.tokens_per_step() % (batch_size * length) == 0, path, training.tokens_per_step(),
                fmt::format("a multiple of batch_size * sequence_length, which is {} * {} = {}", batch_size, length,
                            batch_size * length));
}

void CheckTraining(const proto::Config& config, Faults& faults) {
  const proto::Training& training = config.training();
  faults.InRange("training.steps", training.steps(), 1, kMaxCount);
  faults.InRange("training.batch_size", training.batch_size(), 1, kMaxCount);
  faults.InRange("training.accumulate_steps", training.accumulate_steps(), 1, kMaxAccumulation);
  if (config.model().has_gpt()) {
    const int64_t length = config.model().gpt().sequence_length();
    CheckTokensPerPass("training.batch_size", training.batch_size(), length, faults);
    CheckTokensPerPass("evaluation.batch_size", config.evaluation().batch_size(), length, faults);
  }
  CheckTokensPerStep(config, faults);
  faults.AtLeast("training.clip_grad_norm", training.clip_grad_norm(), 0);
  faults.InRange("evaluation.every_steps", config.evaluation().every_steps(), 1, kMaxCount);
  faults.InRange("evaluation.batch_size", config.evaluation().batch_size(), 0, kMaxCount);
  faults.InRange("evaluation.max_batches", config.evaluation().max_batches(), 0, kMaxCount);
  faults.InRange("checkpoint.every_steps", config.checkpoint().every_steps(), 0, kMaxCount);
  faults.InRange("checkpoint.keep", config.checkpoint().keep(), 1, kMaxCount);
  faults.InRange("logging.every_steps", config.logging().every_steps(), 1, kMaxCount);
}

void CheckAdamW(const std::string& path, const proto::AdamW& adamw, Faults& faults) {
  faults.Probability(path + ".beta1", adamw.beta1());
  faults.Probability(path + ".beta2", adamw.beta2());
  faults.Expect(static_cast<float>(adamw.eps()) > 0 && std::isfinite(adamw.eps()), path + ".eps", adamw.eps(),
                "a number above 0 that a float can hold");
  faults.AtLeast(path + ".weight_decay", adamw.weight_decay(), 0);
}

void CheckParameterGroup(const std::string& path, const proto::ParameterGroup& group, Faults& faults) {
  faults.AtLeast(path + ".lr_scale", group.lr_scale(), 0);
  faults.Finite(path + ".weight_decay", group.weight_decay());
}

void CheckOptimizer(const proto::Optimizer& optimizer, Faults& faults) {
  CheckParameterGroup("optimizer.embedding", optimizer.embedding(), faults);
  CheckParameterGroup("optimizer.head", optimizer.head(), faults);
  CheckParameterGroup("optimizer.vectors", optimizer.vectors(), faults);
  if (optimizer.has_sgd()) {
    const proto::Sgd& sgd = optimizer.sgd();
    faults.Probability("optimizer.sgd.momentum", sgd.momentum());
    faults.AtLeast("optimizer.sgd.weight_decay", sgd.weight_decay(), 0);
    faults.Expect(!sgd.nesterov() || sgd.momentum() > 0, "optimizer.sgd.nesterov", sgd.nesterov(),
                  "a momentum above 0 with it");
  } else if (optimizer.has_muon()) {
    const proto::Muon& muon = optimizer.muon();
    faults.Probability("optimizer.muon.momentum", muon.momentum());
    faults.InRange("optimizer.muon.ns_steps", muon.ns_steps(), 1, 100);
    faults.AtLeast("optimizer.muon.weight_decay", muon.weight_decay(), 0);
    CheckAdamW("optimizer.muon.adamw", muon.adamw(), faults);
  } else {
    CheckAdamW("optimizer.adamw", optimizer.adamw(), faults);
  }
}

void CheckLearningRate(const proto::LearningRate& rate, int64_t steps, Faults& faults) {
  faults.AtLeast("learning_rate.lr", rate.lr(), 0);
  faults.Expect(rate.min_lr() >= 0 && rate.min_lr() <= rate.lr(), "learning_rate.min_lr", rate.min_lr(),
                fmt::format("0 to lr, which is {}", rate.lr()));
  if (rate.schedule() == proto::LearningRate::CONSTANT) {
    faults.Expect(rate.warmup_steps() == 0, "learning_rate.warmup_steps", rate.warmup_steps(), "0 with CONSTANT");
    faults.Expect(rate.min_lr() == 0, "learning_rate.min_lr", rate.min_lr(), "0 with CONSTANT");
  }
  faults.Expect(rate.decay_steps() == 0 || rate.schedule() == proto::LearningRate::WARMUP_STABLE_DECAY,
                "learning_rate.decay_steps", rate.decay_steps(), "0 unless the schedule is WARMUP_STABLE_DECAY");
  faults.InRange("learning_rate.warmup_steps", rate.warmup_steps(), 0, steps);
  faults.InRange("learning_rate.decay_steps", rate.decay_steps(), 0, std::max<int64_t>(steps - rate.warmup_steps(), 0));
}

void CheckSparsity(const proto::Sparsity& sparsity, Faults& faults) {
  faults.Expect(
      sparsity.multiple_of() >= 4 && sparsity.multiple_of() % 4 == 0 && sparsity.multiple_of() <= kMaxFeatures,
      "sparsity.multiple_of", sparsity.multiple_of(), "a multiple of 4, at least 4");
  faults.Regex("sparsity.include", sparsity.include());
  faults.Regex("sparsity.exclude", sparsity.exclude());
  faults.InRange("sparsity.interval", sparsity.interval(), 1, kMaxCount);
}

}  // namespace

void ValidateConfig(const proto::Config& config) {
  Faults faults;
  const std::string& name = config.name();
  faults.Expect(!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos, "name",
                fmt::format("'{}'", name), "a folder's name");
  faults.InRange("threads", config.threads(), 0, 1024);
  CheckModel(config.model(), faults);
  CheckData(config.data(), faults);
  CheckFit(config, faults);
  CheckTraining(config, faults);
  CheckOptimizer(config.optimizer(), faults);
  CheckLearningRate(config.learning_rate(), config.training().steps(), faults);
  CheckSparsity(config.sparsity(), faults);
  faults.Throw();
}

}  // namespace twofour::train
