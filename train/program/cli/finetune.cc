#include "twofour/train/program/cli/finetune.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/sparsity_parts.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {

proto::Config FinetuneConfig(const std::string& from, const std::string& config_file) {
  const RunFiles run{FindRun("--from", from).folder};
  if (!FileSystem::Default().Exists(run.model())) {
    throw Error(fmt::format("--from {}: the run is not finished, expected one with model.safetensors", from));
  }
  proto::Config config = LoadTextConfig(config_file);
  const proto::Config stored = LoadTextConfig(run.config().string());
  RequireNotQuantized(stored, fmt::format("--from {}", from));
  if (!config.has_model()) *config.mutable_model() = stored.model();
  // The file may be the one that the run was made with.
  config.set_name(config.name() + "_finetune");
  config.set_initial_weights(run.model().string());
  proto::Finetune& finetune = *config.mutable_finetune();
  if (stored.imported_from().has_pruning()) {
    // Its masks stay: there is no stage without them and none that searches for others.
    *config.mutable_sparsity() = stored.sparsity();
    ClearParts(*config.mutable_sparsity(), {proto::TIMETABLE, proto::TRAINING});
    config.set_initial_masks(true);
    if (!finetune.has_dense_share()) finetune.set_dense_share(0);
    if (!finetune.has_search_share()) finetune.set_search_share(0);
  }
  config.mutable_sparsity()->set_enabled(true);
  return config;
}

void RequireModelOf(const std::string& from, const proto::Config& config) {
  const RunFiles run{FindRun("--from", from).folder};
  const proto::Config stored = WithDefaults(LoadTextConfig(run.config().string()));
  const std::vector<std::string> differences = ModelDifferences(stored, config);
  if (differences.empty()) return;
  throw Error(fmt::format("--from {}: {}: a run keeps its model; leave `model` out of the config to take the run's",
                          from, fmt::join(differences, ", ")));
}

}  // namespace twofour::train
