#pragma once

#include <cstdint>

#include "twofour/core/io/file_system.h"
#include "twofour/nn/module.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/export.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// What the model.safetensors of a finished run holds.
struct FinalModelOptions {
  bool best = false;  ///< True: the weights of the best saved evaluation. False: those after the last step.
  ExportWeights weights = ExportWeights::kDenseWithMasks;
  double adapter_alpha = 0;  ///< See SaveAdapterFiles. Only for a model with adapters.
};

/// The step whose weights SaveFinalModel writes for a run that ended at `state`.
int64_t FinalModelStep(const TrainerState& state, const FinalModelOptions& options);

/// Writes the files of adapters (SaveAdapterFiles), if the model has any, and then model.safetensors, with the step in
/// its metadata. `model` holds the weights after the last step. Where another step is asked for, that checkpoint's
/// weights and masks are loaded into it. Throws Error when the checkpoint cannot be read.
void SaveFinalModel(FileSystem& files, const RunFiles& run, nn::Module& model, const TrainerState& state,
                    const FinalModelOptions& options);

}  // namespace twofour::train
