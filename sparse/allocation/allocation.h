#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/sparse/pruning_pattern.h"

namespace twofour::sparse {

// How sparse each layer of a model is to be, so that all of them together are as sparse as asked. The functions that
// decide this (AllocateUniformly, AllocateByOutliers, AllocateBySensitivity) know shapes and numbers, but no weights.
// Any number of threads may call them.
//
// A layer gets sparser in steps: by an entry, or by one in each row if the scope is kRow; by a block, which counts as
// many entries as blocks of the layer have on average; for n:m along rows by one entry in each group of m, if the group
// is long enough. What is dropped of all layers misses the target by no more than half of the largest step of any
// layer. Where a common recipe would clip to `min` and `max` and so miss the target, the other layers make up for it.

/// A weight that is pruned.
struct LayerShape {
  std::string name;  ///< For messages.
  int64_t rows = 0, cols = 0;
};

/// What messages call the options of an allocation.
struct AllocationNames {
  std::string owner = {};  ///< How they begin; empty: with the name of the function.
  std::string target = "target", min = "min", max = "max";
};

struct AllocationOptions {
  /// The kind of all layers' patterns. Of n:m, layers get the same m.
  PruningPattern pattern = PruningPattern::Unstructured(0.5);
  /// The share of all entries that is dropped; by default the pattern's. For a pattern with a budget it can be no
  /// other, nor for transposable ones and V:N:M, of which all layers then get the same.
  std::optional<double> target = {};
  /// Bounds on the sparsity of each layer, which is 1 - n/m for n:m. A layer with a budget may pass a bound by less
  /// than a step, where the target cannot be met otherwise. No layer is dropped as a whole.
  double min = 0, max = 1;
  AllocationNames names = {};

  double Target() const { return target ? *target : pattern.Sparsity(); }
};

/// Rules: those of the pattern, whose scope is not kModel. The target is in [0, 1) and as said above. 0 <= min <= max
/// <= 1, and they let some sparsity of an n:m, transposable or V:N:M pattern through. Whether the target can be met is
/// seen with the layers.
void Check(const AllocationOptions& options, const FieldPath& at, Faults& faults);

struct LayerAllocation {
  std::optional<PruningPattern> pattern;  ///< std::nullopt: the layer stays dense.
  /// Entries. For blocks see above; for transposable patterns and V:N:M, as if sizes divided.
  double dropped = 0;
};

struct Allocation {
  std::vector<LayerAllocation> layers;  ///< In the order of the layers given.
  double sparsity = 0;                  ///< The share of all entries that is dropped.
};

}  // namespace twofour::sparse
