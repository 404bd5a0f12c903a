#pragma once

#include <vector>

#include "twofour/nn/module.h"

namespace twofour::train {

enum class ExportWeights {
  kDenseWithMasks,  ///< The dense master weights, and `weight_mask` beside each that has one (with a soft threshold
                    ///< `weight_mask_scale`, too).
  kPruned,          ///< What the layers multiply with: zeros where a mask does not keep; no masks.
};

/// The tensors of a trained model as model.safetensors holds them.
std::vector<NamedTensor> ExportModel(nn::Module& model, ExportWeights weights);

}  // namespace twofour::train
