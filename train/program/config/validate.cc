#include "twofour/train/program/config/validate.h"

#include <fmt/format.h>

#include <string>

#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

/// Checks that the model can read the data.
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

/// Checks that there may be masks to take over, and that the run uses them.
void CheckInitialMasks(const proto::Config& config, Faults& faults) {
  if (!config.initial_masks()) return;
  const auto expect = [&faults](bool holds, const std::string& expected) {
    faults.Expect(holds, "initial_masks", "true", expected);
  };
  const proto::Sparsity& sparsity = config.sparsity();
  expect(!config.initial_weights().empty(), "false without initial_weights, the file that holds them");
  expect(sparsity.enabled(), "false for a dense run: sparsity.enabled is false");
  expect(sparsity.target() == proto::Sparsity::WEIGHT, "false where sparsity.target is ACTIVATION");
  expect(sparsity.apply(), "false where sparsity.apply is false: masks would not be in force");
}

}  // namespace

void ValidateConfig(const proto::Config& config) {
  Faults faults = Faults::OfConfig();
  const std::string& name = config.name();
  faults.Expect(!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos, "name",
                fmt::format("'{}'", name), "a folder's name");
  faults.InRange("threads", config.threads(), 0, 1024);
  CheckModel(config.model(), faults);
  CheckData(config.data(), faults);
  CheckFit(config, faults);
  CheckInitialMasks(config, faults);
  CheckTraining(config, faults);
  CheckOptimizer(config.optimizer(), faults);
  CheckLearningRate(config.learning_rate(), faults);
  CheckSparsity(config, faults);
  faults.Throw();
}

}  // namespace twofour::train
