#pragma once

#include <string>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::test {

inline std::vector<std::string> NamesOf(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& named : tensors) names.push_back(named.name);
  return names;
}

/// A copy that shares no elements with `state`.
inline std::vector<NamedTensor> Copy(const std::vector<NamedTensor>& state) {
  std::vector<NamedTensor> copy;
  for (const NamedTensor& named : state) copy.push_back({named.name, named.tensor.Clone()});
  return copy;
}

}  // namespace twofour::test
