#pragma once

#include <string>
#include <vector>

#include "twofour/nn/module.h"

namespace twofour::nn {

/// Every parameter and buffer of the tree under its full name: what a checkpoint holds. The parameters' handles share
/// their elements.
std::vector<NamedTensor> StateDict(Module& root);

/// Throws the Error that LoadStateDict would throw.
void CheckStateDict(Module& root, const std::vector<NamedTensor>& state, const std::string& source);

/// Copies a state dict into the tree. Strict: every parameter must be there with its shape and dtype, and nothing may
/// be there that the tree does not have. Throws Error that lists every fault, each with the tensor's name and
/// prefixed by `source`, before it changes anything. Buffers (masks) may be missing; they are then computed again.
/// Nothing else may use the tree meanwhile.
void LoadStateDict(Module& root, const std::vector<NamedTensor>& state, const std::string& source);

}  // namespace twofour::nn
