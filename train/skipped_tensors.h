#pragma once

#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/nn/module.h"

namespace twofour::train {

/// Moves the tensors whose element type no model of twofour has (f16, i64, ...) from file.tensors to file.skipped. So a
/// file may hold them beside a model's own tensors, just as it may hold types that twofour cannot read.
void SkipForeignTypes(SafetensorsFile& file);

/// Throws Error with a line for each tensor that was skipped in the file `source` and that `model` has (as a parameter
/// or a buffer). Tensors that the model does not have may be of any type.
void RequireNoneNeeded(const std::vector<SkippedTensor>& skipped, nn::Module& model, const std::string& source);

}  // namespace twofour::train
