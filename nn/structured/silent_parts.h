#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"
#include "twofour/nn/structured/part_set.h"

namespace twofour::nn {

/// While it lives, parts of a model add nothing to its outputs. Afterwards all weights are what they were, to the bit.
/// Nothing else may use the model meanwhile.
class SilentParts {
 public:
  explicit SilentParts(Module& model) : named_(model.NamedParameters()) {}
  ~SilentParts();
  SilentParts(const SilentParts&) = delete;
  SilentParts& operator=(const SilentParts&) = delete;

  /// Zeroes what the linear behind part `part` of the set multiplies it with. Of a block, it zeroes every linear that
  /// adds to the features between blocks, with its bias.
  void Add(const PartSet& set, int64_t part);

 private:
  Tensor& Keep(const std::string& parameter);

  std::vector<NamedTensor> named_;
  std::vector<std::pair<Tensor, Tensor>> kept_;  // Parameters that were changed, and copies of what they were.
};

}  // namespace twofour::nn
