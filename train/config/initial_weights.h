#pragma once

#include <optional>
#include <string>

#include "twofour/nn/module.h"
#include "twofour/train/data_record.h"

namespace twofour::train {

/// Copies the weights of a run's model.safetensors, or of another file with the same tensors, into a model whose
/// linears are not swapped yet. Masks in the file are passed over. Throws Error naming the file and every tensor that
/// is missing, of another shape, or not the model's; the model is then as it was.
void LoadInitialWeights(const std::string& path, nn::Module& model);

/// What to warn of where weights, or a config, from a run's folder begin another run on other data than that run had:
/// the first differences, or that this cannot be found out. Nothing where all is well or there is no record of the
/// data. `path` is a file in the run's folder or in one of its checkpoints. Other samples of the same meaning are worth
/// a warning only where `expects_same` says so.
std::optional<std::string> WarningOfOtherData(const std::string& path, const DataRecord& now, bool expects_same);

}  // namespace twofour::train
