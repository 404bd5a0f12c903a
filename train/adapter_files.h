#pragma once

#include "twofour/core/io/file_system.h"
#include "twofour/nn/module.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

/// Writes the adapters of `model`, scaled by alpha / rank, as adapter.safetensors and adapter_config.json, and the
/// weights that they are relative to as base.safetensors: those of the model without adapters, with masks as in
/// model.safetensors. A weight W of the base is 0 where its mask drops, and the trained one is (W + alpha / rank * B A)
/// * mask. Does nothing for a model without adapters.
void SaveAdapterFiles(FileSystem& files, const RunFiles& run, nn::Module& model, double alpha);

/// Removes these files, if they are there.
void RemoveAdapterFiles(FileSystem& files, const RunFiles& run);

}  // namespace twofour::train
