#pragma once

#include <string>

#include "twofour/nn/module.h"

namespace twofour::train {

/// Copies the weights of a run's model.safetensors, or of another file with the same tensors, into a model whose
/// linears are not swapped yet. Masks in the file are passed over. Throws Error naming the file and every tensor that
/// is missing, of another shape or type, or not the model's; the model is then as it was. Tensors of element types that
/// twofour lacks are passed over where the model has none of their name.
void LoadInitialWeights(const std::string& path, nn::Module& model);

}  // namespace twofour::train
