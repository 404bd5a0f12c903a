#include "twofour/train/parallel/owned_state.h"

#include <algorithm>
#include <cstddef>

namespace twofour::train {

StateByParameter::StateByParameter(const std::vector<NamedTensor>& parameters) {
  for (const NamedTensor& parameter : parameters) names_.push_back(parameter.name);
}

std::optional<size_t> StateByParameter::ParameterOf(const std::string& tensor) const {
  std::optional<size_t> found;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (!tensor.starts_with(names_[i] + ".")) continue;
    if (!found || names_[*found].size() < names_[i].size()) found = i;
  }
  return found;
}

std::vector<NamedTensor> StateByParameter::Part(const std::vector<NamedTensor>& state,
                                                const std::function<bool(const std::string& parameter)>& keeps) const {
  std::vector<NamedTensor> part;
  for (const NamedTensor& named : state) {
    const std::optional<size_t> parameter = ParameterOf(named.name);
    if (!parameter || keeps(names_[*parameter])) part.push_back(named);
  }
  return part;
}

std::vector<NamedTensor> StateByParameter::Join(const std::vector<std::vector<NamedTensor>>& parts) const {
  std::vector<NamedTensor> joined;
  std::vector<std::vector<NamedTensor>> of_parameter(names_.size());
  for (const std::vector<NamedTensor>& part : parts) {
    for (const NamedTensor& named : part) {
      if (const std::optional<size_t> parameter = ParameterOf(named.name)) {
        of_parameter[*parameter].push_back(named);
      } else if (&part == &parts.front()) {
        joined.push_back(named);
      }
    }
  }
  for (const std::vector<NamedTensor>& tensors : of_parameter) {
    joined.insert(joined.end(), tensors.begin(), tensors.end());
  }
  return joined;
}

std::vector<NamedTensor> WithBuffers(const std::vector<NamedTensor>& model, const std::vector<std::string>& layers,
                                     const std::vector<NamedTensor>& buffers) {
  const auto layer_of = [&layers](const std::string& tensor) {
    return std::ranges::find_if(layers, [&](const std::string& layer) {
      return tensor.starts_with(layer.empty() ? "weight_mask" : layer + ".weight_mask");
    });
  };
  std::vector<std::vector<NamedTensor>> of_layer(layers.size());
  for (const NamedTensor& buffer : buffers) {
    of_layer[static_cast<size_t>(layer_of(buffer.name) - layers.begin())].push_back(buffer);
  }
  std::vector<NamedTensor> result;
  std::vector<bool> done(layers.size());
  for (const NamedTensor& named : model) {
    const auto layer = static_cast<size_t>(layer_of(named.name) - layers.begin());
    if (layer == layers.size() || of_layer[layer].empty()) {
      result.push_back(named);
    } else if (!done[layer]) {
      result.insert(result.end(), of_layer[layer].begin(), of_layer[layer].end());
      done[layer] = true;
    }
  }
  return result;
}

}  // namespace twofour::train
