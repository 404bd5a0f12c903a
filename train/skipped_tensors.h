#pragma once

#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/nn/module.h"

namespace twofour::train {

/// Throws Error with a line for each tensor that `model` has (a parameter or a buffer) and that was skipped in the file
/// `source`, since twofour lacks its element type. What the model does not have may be of any type.
void RequireNoneNeeded(const std::vector<SkippedTensor>& skipped, nn::Module& model, const std::string& source);

}  // namespace twofour::train
