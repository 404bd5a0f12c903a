#pragma once

#include <memory>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"
#include "twofour/sparse/inference_weight.h"

namespace twofour::nn {

/// The packed weight of a linear and its bias, as a file holds them.
struct PackedLinear {
  std::string name;  ///< Of the linear: "blocks.0.mlp.c_fc".
  std::shared_ptr<const sparse::InferenceWeight> weight;
  Tensor bias = {};  ///< f32 [rows], or undefined.
};

/// Puts a SparseLinear in the place of each nn::Linear below `root` that is named. No weight is unpacked, and that of
/// the linear is not looked at: it may have been made in an UnsetWeightsScope. The tree can no longer be trained.
/// Throws Error, beginning with `source` and naming the tensor, before anything is changed: where the tree has no such
/// linear, where it has another shape, and where one has a bias and the other has not.
void PutPackedLinears(Module& root, const std::vector<PackedLinear>& packed, const std::string& source);

}  // namespace twofour::nn
