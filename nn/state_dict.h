#pragma once

#include <string>
#include <vector>

#include "twofour/core/state_reader.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// Every parameter and buffer of the tree under its full name, as a checkpoint holds them. The handles share the
/// parameters' elements.
std::vector<NamedTensor> StateDict(Module& root);

/// Copies a state dict into the tree. Strict: every parameter must be there with its shape and dtype, and nothing may
/// be there that the tree does not have. Parameters that share their elements must get the same ones under each of
/// their names. The state may hold the tree's own tensors, under other names, too. Throws Error that lists every fault,
/// each with the tensor's name and prefixed by `source`, before it changes anything. Buffers (masks) may be missing;
/// they are then computed again. Nothing else may use the tree meanwhile.
void LoadStateDict(Module& root, const std::vector<NamedTensor>& state, const std::string& source);

/// The first half of LoadStateDict: takes everything from `reader` and changes nothing yet. Lets a caller read the
/// states of several objects before it changes any.
StateCommit ReadStateDict(Module& root, StateReader& reader);
/// What StateReader::Finish says about a tensor that the tree has not taken.
inline constexpr char kUnknownTensor[] = "the model has no such tensor";

}  // namespace twofour::nn
