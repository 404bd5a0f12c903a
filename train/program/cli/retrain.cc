#include "twofour/train/program/cli/retrain.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/sparsity_parts.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

/// Trains what `trainer prune` made with the masks that it found.
proto::Config ConfigUnderItsMasks(proto::Config config, const std::string& model) {
  config.set_name(config.name() + "_retrain");
  config.set_initial_weights(model);
  config.set_initial_masks(true);
  return config;
}

}  // namespace

proto::Config RetrainConfig(const std::string& from) {
  const RunFiles run{FindRun("--from", from).folder};
  if (!FileSystem::Default().Exists(run.model())) {
    throw Error(fmt::format("--from {}: the run is not finished, expected one with model.safetensors", from));
  }
  proto::Config config = LoadTextConfig(run.config().string());
  RequireNotQuantized(config, fmt::format("--from {}", from));
  if (config.imported_from().has_pruning()) return ConfigUnderItsMasks(std::move(config), run.model().string());
  if (config.sparsity().enabled() && config.sparsity().apply()) {
    throw Error(
        fmt::format("--from {}: the run is sparse, expected a dense one to prune (initial_weights and "
                    "initial_masks of a config go on with the masks of a sparse one)",
                    from));
  }
  config.set_name(config.name() + "_retrain");
  config.set_initial_weights(run.model().string());
  // Keeps which linears are pruned and how masks are chosen. The other parts of the dense run's recipe do not apply.
  proto::Sparsity& sparsity = *config.mutable_sparsity();
  ClearParts(sparsity, {proto::TIMETABLE, proto::TRAINING});
  sparsity.set_enabled(true);
  sparsity.mutable_freeze()->set_step(0);
  sparsity.set_freeze_gradient(true);
  return config;
}

void RequirePruningOnce(const proto::Config& config) {
  const proto::Sparsity& sparsity = config.sparsity();
  const char* const missing = !sparsity.enabled()         ? "sparsity.enabled: false, expected true"
                              : !IsSet(sparsity.freeze()) ? "sparsity.freeze: not set, expected a step"
                                                          : nullptr;
  if (missing == nullptr) return;
  throw Error(
      fmt::format("config: {} for a dense run that is pruned once (--set sparsity={{...}} replaces all of "
                  "sparsity, --set sparsity.algorithm=... a field)",
                  missing));
}

}  // namespace twofour::train
