#pragma once

#include <vector>

#include "twofour/nn/module.h"

namespace twofour::train {

enum class ExportWeights {
  kDenseWithMasks,  ///< The dense master weights, each with its `weight_mask` where it has one (and with a soft
                    ///< threshold also `weight_mask_scale`).
  kPruned,          ///< The weights that the layers multiply with: 0 where a mask drops an entry. No masks.
};

/// The tensors of a trained model as model.safetensors holds them. Adapters are merged into the weights of their
/// linears, which then are 0 where a mask drops, also with kDenseWithMasks.
std::vector<NamedTensor> ExportModel(nn::Module& model, ExportWeights weights);

}  // namespace twofour::train
