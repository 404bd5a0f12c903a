#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/sparse/group_pattern.h"

namespace twofour::nn {

/// What a swapped linear prunes.
enum class SwapTarget {
  kWeight,      ///< SemiSparseLinear.
  kActivation,  ///< SemiSparseActivationLinear.
};

struct SwapOptions {
  /// A linear's whole dotted name must match this regular expression (see NamePattern): ".*\.mlp\..*".
  std::string include = ".*";
  /// Linears whose whole name matches this stay dense; empty excludes nothing.
  std::string exclude = {};
  /// Both dimensions of the weight must be multiples of this; itself a positive multiple of 4, or any positive number
  /// where masks go along rows or have a budget.
  int64_t multiple_of = 16;
  SwapTarget target = SwapTarget::kWeight;
  /// Only for kWeight. Each layer draws its random choices from a stream of its own, counted from key.stream on in the
  /// order of the tree.
  SemiSparseOptions sparsity = {};
  /// Only for kWeight: for linears of these full names instead of sparsity.plan.
  std::map<std::string, sparse::MaskPlan> plans = {};
  /// Only for kActivation.
  sparse::MaskMethod activation_method = sparse::MaskMethod::kExact;
};

/// Rules: the regular expressions parse and multiple_of is a multiple of SizeUnitOf each plan; and the rules of
/// SemiSparseOptions, with each of the plans, and for kActivation that of CheckActivationMethod.
void Check(const SwapOptions& options, const FieldPath& at, Faults& faults);

/// One linear that the pass looked at.
struct SwapEntry {
  std::string name;
  int64_t out_features = 0;
  int64_t in_features = 0;
  std::string reason;  ///< Why it was kept dense; empty if it was converted.
};

struct SwapReport {
  std::vector<SwapEntry> converted;
  std::vector<SwapEntry> kept_dense;
};

/// Replaces each matching, eligible nn::Linear below `root` by a semi-sparse one, in place. A module must reach its
/// children through their places (ModuleSlot): a pointer to the child itself would dangle. A class derived from Linear
/// is kept, because its Forward may compute something else. Parameters are handed over: handles that an optimizer holds
/// stay valid, frozen ones stay frozen. Throws Error on options that Check finds fault with, before anything is
/// changed. The root itself cannot be replaced: a root that is a linear is reported as kept dense. Nothing else may use
/// the tree meanwhile.
SwapReport SwapLinearWithSemiSparseLinear(Module& root, const SwapOptions& options = {});

/// Replaces every SemiSparseLinear and SemiSparseActivationLinear below `root` by nn::Linear. With `apply_mask` the
/// weights become those that the layers multiplied with (SemiSparseLinear::EffectiveWeight); if a weight is not finite,
/// this throws Error before anything is changed. Otherwise they are the dense master weights. Adapters (LoraLinear) are
/// merged into them first. Returns what was converted.
SwapReport SwapSemiSparseLinearWithLinear(Module& root, bool apply_mask = false);

/// Replaces every SemiSparseLinear below `root` by a SparseLinear, for inference: its values are f32 or bf16. Layers
/// whose masks are not 2:4, n:m along rows or V:N:M, or whose operands are rounded, are kept and reported as
/// `kept_dense`. Outputs are equal up to
/// rounding. The tree can no longer be trained, and those layers have no parameters any more. If a weight is not
/// finite, this throws Error before anything is changed.
SwapReport SwapSemiSparseLinearWithSparseLinear(Module& root, DType values = DType::kF32);

struct PackOptions {
  std::string include = ".*", exclude = {};  ///< As in SwapOptions.
  sparse::GroupPattern pattern = {2, 4};     ///< m is at most sparse::RowPackedWeight::kMostNeighbours.
  DType values = DType::kF32;                ///< Or bf16.
};

/// Rules: the regular expressions parse, 1 <= n < m <= kMostNeighbours, and values are f32 or bf16.
void Check(const PackOptions& options, const FieldPath& at, Faults& faults);

/// Replaces each matching nn::Linear below `root` by a SparseLinear, for inference, if its f32 weight has zeros in
/// place: at most n of m neighbours along its rows are not zero. That is how weights come from a file that holds them
/// masked or packed. Others, and those whose operands are rounded, are reported as `kept_dense`. The tree can no longer
/// be trained. Throws Error on options that Check finds fault with, and where a weight that would be packed is not
/// finite, before anything is changed.
SwapReport SwapLinearWithSparseLinear(Module& root, const PackOptions& options = {});

/// A semi-sparse layer of a tree and its full name.
struct NamedSemiSparseLinear {
  std::string name;
  SemiSparseLinear* layer;
};

/// Every SemiSparseLinear below `root`.
std::vector<NamedSemiSparseLinear> FindSemiSparseLinears(Module& root);

}  // namespace twofour::nn
