#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"
#include "twofour/train/exchange/hugging_face.h"
#include "twofour/train/exchange/weight_source.h"

namespace twofour::train {

/// How the tensors of a source become those of a model.
struct ImportWishes {
  std::string name_map = {};                          ///< See ImportRequest.
  std::optional<HuggingFaceModel> hugging_face = {};  ///< What the source's config.json describes.
  bool partial = false;                               ///< See ImportRequest.
  bool masks = false;                                 ///< Whether the run's model takes masks.
};

/// Puts a source's tensors into a model. Returns the masks among them, under the names that go with their weights. Adds
/// to `notes` what --partial leaves out. Throws Error, naming the file and each tensor, if tensors are missing,
/// surplus, or do not fit.
std::vector<NamedTensor> GiveTensors(const ImportWishes& wishes, WeightSource& source, nn::Module& model,
                                     std::vector<std::string>& notes);

/// The names of tensors for a message, as many as fit on a line.
std::string TensorNames(const std::vector<std::string>& names);

}  // namespace twofour::train
