#include "twofour/train/final_model.h"

#include <fmt/format.h>

#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/train/adapter_files.h"

namespace twofour::train {
namespace {

/// Restores the model of `step`. Layers are told the step, too, because it decides whether their masks are out of date.
void GoBackTo(int64_t step, int64_t last_step, FileSystem& files, const RunFiles& run, nn::Module& model) {
  const CheckpointStore store(files, run.checkpoints(), 1);
  try {
    const auto checkpoint = store.Find(step);
    if (!checkpoint) throw Error(fmt::format("there is no checkpoint of step {}", step));
    nn::LoadStateDict(model, CheckpointStore::LoadModel(files, *checkpoint), checkpoint->string());
  } catch (const Error& error) {
    throw Error(fmt::format("checkpoint.final is BEST, but {}; the weights after the last step are in {}", error.what(),
                            (store.PathOf(last_step) / CheckpointStore::kModelFile).string()),
                error.kind());
  }
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) layer->SetOptimizerStep(step);
}

}  // namespace

int64_t FinalModelStep(const TrainerState& state, const FinalModelOptions& options) {
  return options.best && state.best_step > 0 ? state.best_step : state.step;
}

void SaveFinalModel(FileSystem& files, const RunFiles& run, nn::Module& model, const TrainerState& state,
                    const FinalModelOptions& options) {
  const int64_t step = FinalModelStep(state, options);
  if (step != state.step) GoBackTo(step, state.step, files, run, model);
  SaveAdapterFiles(files, run, model, options.adapter_alpha);
  SaveSafetensors(files, run.model(), ExportModel(model, options.weights),
                  {{"format", "pt"}, {"step", fmt::format("{}", step)}});
}

}  // namespace twofour::train
