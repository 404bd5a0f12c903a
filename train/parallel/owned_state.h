#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::train {

/// The parts of an optimizer's state dict by parameter. What belongs to no parameter comes first.
class StateByParameter {
 public:
  explicit StateByParameter(const std::vector<NamedTensor>& parameters);

  /// The tensors that belong to no parameter, or to one for which `keeps` is true.
  std::vector<NamedTensor> Part(const std::vector<NamedTensor>& state,
                                const std::function<bool(const std::string& parameter)>& keeps) const;
  /// Puts parts of several ranks together, in the order of parameters, as one optimizer writes them. What belongs to no
  /// parameter is the first part's.
  std::vector<NamedTensor> Join(const std::vector<std::vector<NamedTensor>>& parts) const;

 private:
  /// The number of the parameter to which a tensor belongs; nothing if it belongs to none.
  std::optional<size_t> ParameterOf(const std::string& tensor) const;

  std::vector<std::string> names_;
};

/// Replaces in a model's state dict each layer's buffers, `<layer>.weight_mask...`, by those in `buffers`, which have
/// full names. Layers of which `buffers` has nothing keep theirs.
std::vector<NamedTensor> WithBuffers(const std::vector<NamedTensor>& model, const std::vector<std::string>& layers,
                                     const std::vector<NamedTensor>& buffers);

}  // namespace twofour::train
