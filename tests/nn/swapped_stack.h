#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/swap.h"

namespace twofour::nn {

inline std::vector<std::string> Names(const std::vector<SwapEntry>& entries) {
  std::vector<std::string> names;
  for (const SwapEntry& entry : entries) names.push_back(entry.name);
  return names;
}

/// "name:Type" for everything below the root.
inline std::vector<std::string> Types(Module& root) {
  std::vector<std::string> types;
  root.VisitSlots(
      [&](const std::string& name, ModuleSlot& slot) { types.push_back(name + ":" + std::string(slot->type_name())); });
  return types;
}

/// layers.0 [32, 16], layers.1 [16, 32], layers.2 [10, 16].
inline MlpStack SmallStack(uint64_t seed = 1) {
  Generator generator(seed);
  return MlpStack({.in_features = 16, .hidden_features = {32, 16}, .out_features = 10}, generator);
}

}  // namespace twofour::nn
