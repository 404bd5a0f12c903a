#include "twofour/train/program/config/validate.h"

#include <fmt/format.h>

#include <string>

#include "twofour/train/program/config/idle_fields.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

/// Checks that there are a model and data, and that the model can read the data.
void CheckKinds(const proto::Config& config, Faults& faults) {
  const proto::Model& model = config.model();
  const proto::Data& data = config.data();
  const bool no_model = model.kind_case() == proto::Model::KIND_NOT_SET;
  const bool no_data = data.kind_case() == proto::Data::KIND_NOT_SET;
  if (no_model) faults.Missing("model", "mlp { ... }, residual_mlp { ... }, conv_net { ... } or gpt { ... }");
  if (no_data) faults.Missing("data", "glyphs { ... }, idx { ... }, csv { ... }, text { ... } or tokens { ... }");
  if (model.has_gpt() && config.sparsity().enabled() && config.sparsity().target() == proto::Sparsity::ACTIVATION) {
    faults.Expect(
        false, "sparsity.target", "ACTIVATION",
        "WEIGHT for model.gpt: a tile of activations spans four tokens, of which the first must not see the last");
  }
  if (no_model || no_data) return;
  const bool is_text = data.has_text() || data.has_tokens();
  if (model.has_gpt() && !is_text) {
    faults.Expect(false, "data", "samples with classes", "text { ... } or tokens { ... } for model.gpt");
  } else if (!model.has_gpt() && is_text) {
    faults.Expect(false, "model", "a classifier", "gpt { ... } for data.text and data.tokens");
  }
}

/// The data, with a path for an imported run that has none. It needs one only to train or evaluate.
proto::Data DataToCheck(const proto::Config& config) {
  constexpr const char* kAnyPath = "data";
  proto::Data data = config.data();
  if (!config.has_imported_from()) return data;
  if (data.has_text() && data.text().path().empty()) data.mutable_text()->set_path(kAnyPath);
  if (data.has_tokens() && data.tokens().path().empty()) data.mutable_tokens()->set_path(kAnyPath);
  return data;
}

/// Checks that there may be masks to take over, and that the run uses them.
void CheckInitialMasks(const proto::Config& config, Faults& faults) {
  if (!config.initial_masks()) return;
  const auto expect = [&faults](bool holds, const std::string& expected) {
    faults.Expect(holds, "initial_masks", "true", expected);
  };
  const proto::Sparsity& sparsity = config.sparsity();
  expect(!config.initial_weights().empty(), "false without initial_weights, the file that holds them");
  expect(sparsity.enabled(), "false for a dense run: sparsity.enabled is false");
  const bool activation = sparsity.target() == proto::Sparsity::ACTIVATION && faults.IsSound("sparsity.target");
  expect(!activation, "false where sparsity.target is ACTIVATION");
  expect(sparsity.apply(), "false where sparsity.apply is false: masks would not be in force");
}

}  // namespace

void ValidateConfig(const proto::Config& config) { ValidateConfig(config, {}); }

void ValidateConfig(const proto::Config& config, const proto::Config& stored) {
  Faults faults = Faults::OfConfig();
  const std::string& name = config.name();
  faults.Expect(!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos, "name",
                fmt::format("'{}'", name), "a folder's name");
  faults.InRange("threads", config.threads(), 0, 1024);
  CheckKinds(config, faults);
  faults.Expect(!config.has_quantization() || stored.has_quantization(), "quantization", "given",
                "none: weights of few bits are for inference alone, and trainer quantize makes them of a trained run");
  // Before the rules about values: a field that has no effect is not worth correcting.
  CheckIdleFields(config, stored, faults);
  CheckModel(config.model(), faults);
  CheckData(DataToCheck(config), faults);
  CheckInitialMasks(config, faults);
  CheckTraining(config, faults);
  CheckOptimizer(config.optimizer(), faults);
  CheckLearningRate(config.learning_rate(), faults);
  CheckFinetune(config, faults);
  CheckOneShot(config, faults);
  CheckSparsity(config, faults);
  faults.Throw();
}

}  // namespace twofour::train
