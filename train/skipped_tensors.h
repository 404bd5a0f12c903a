#pragma once

#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/nn/module.h"

namespace twofour::train {

/// Moves the tensors of `file` whose element type no model of twofour has (f16, i64, ...) to those that were skipped.
/// So a file may hold any of them beside a model's own tensors, as it may hold what twofour cannot read.
void SkipForeignTypes(SafetensorsFile& file);

/// Throws Error with a line for each tensor that `model` has (a parameter or a buffer) and that was skipped in the file
/// `source`. What the model does not have may be of any type.
void RequireNoneNeeded(const std::vector<SkippedTensor>& skipped, nn::Module& model, const std::string& source);

}  // namespace twofour::train
