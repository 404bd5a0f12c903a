#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/nn/lora_linear.h"
#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"

namespace twofour::nn {

struct LoraSwapOptions {
  std::string include = ".*", exclude = {};  ///< As in SwapOptions, of semi-sparse linears.
  LoraOptions lora = {};
  /// Layers draw their A from streams of their own, counted from this key's stream on in the order of the tree.
  RandomKey key = {};
};

/// Rules: the regular expressions parse, and those of LoraOptions.
void Check(const LoraSwapOptions& options, const FieldPath& at, Faults& faults);

/// The reason why a dense linear gets no adapter.
inline constexpr char kNotPruned[] = "is not pruned";

/// Replaces each matching SemiSparseLinear below `root`, whose mask must not have been found yet, by a LoraLinear, and
/// freezes every other parameter of the tree. In the report, `kept_dense` are linears that got no adapter. Handles on
/// parameters stay valid. Throws Error on options that Check finds fault with, and if the rank is above the smaller
/// side of a matching weight, before anything is changed.
SwapReport SwapSemiSparseLinearWithLoraLinear(Module& root, const LoraSwapOptions& options = {});

/// An adapted layer of a tree and its full name.
struct NamedLoraLinear {
  std::string name;
  LoraLinear* layer;
};

/// Every LoraLinear below `root`.
std::vector<NamedLoraLinear> FindLoraLinears(Module& root);

}  // namespace twofour::nn
