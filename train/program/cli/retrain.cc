#include "twofour/train/program/cli/retrain.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {

proto::Config RetrainConfig(const std::string& from) {
  const RunFiles run{FindRun("--from", from).folder};
  if (!FileSystem::Default().Exists(run.model())) {
    throw Error(fmt::format("--from {}: the run is not finished, expected one with model.safetensors", from));
  }
  proto::Config config = LoadTextConfig(run.config().string());
  if (config.sparsity().enabled() && config.sparsity().apply()) {
    throw Error(
        fmt::format("--from {}: the run is sparse, expected a dense one to prune (initial_weights and "
                    "initial_masks of a config go on with the masks of a sparse one)",
                    from));
  }
  config.set_name(config.name() + "_retrain");
  config.set_initial_weights(run.model().string());
  // Which linears, and how their masks are chosen; of what else the dense run's config says, nothing applies.
  const proto::Sparsity given = config.sparsity();
  proto::Sparsity& sparsity = *config.mutable_sparsity();
  sparsity.Clear();
  sparsity.set_enabled(true);
  if (given.has_include()) sparsity.set_include(given.include());
  if (given.has_exclude()) sparsity.set_exclude(given.exclude());
  if (given.has_multiple_of()) sparsity.set_multiple_of(given.multiple_of());
  if (given.has_algorithm()) sparsity.set_algorithm(given.algorithm());
  if (given.has_rows()) *sparsity.mutable_rows() = given.rows();
  if (given.has_fused_mlp()) sparsity.set_fused_mlp(given.fused_mlp());
  sparsity.mutable_freeze()->set_step(0);
  sparsity.set_freeze_gradient(true);
  return config;
}

}  // namespace twofour::train
