#pragma once

#include <string>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/token_data.h"

namespace twofour::train {

enum class ExportWeights {
  kDenseWithMasks,  ///< The dense master weights, and `weight_mask` beside each that has one (with a soft threshold
                    ///< `weight_mask_scale`, too).
  kPruned,          ///< What the layers multiply with: zeros where a mask does not keep; no masks.
};

/// The tensors of a trained model as model.safetensors holds them.
std::vector<NamedTensor> ExportModel(nn::Module& model, ExportWeights weights);

/// What besides the model is needed to use it: class names, and the mean and scale of each feature where the data was
/// standardised, as JSON.
std::string DescribeDataAsJson(const DataSplit& data);
/// Likewise: the size of the vocabulary and how many tokens there are.
std::string DescribeDataAsJson(const TokenData& data);
/// Whether two such descriptions speak of as many tokens of one vocabulary. True for data of samples, and where either
/// is no description.
bool DescribesSameTokens(const std::string& a, const std::string& b);

}  // namespace twofour::train
