#pragma once

#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/pruning_pattern.h"

namespace twofour::sparse {

/// The rules that options of `method` ("SparseGPT") share whose masks and weights follow from a Gram matrix: those of
/// the pattern, whose scope is not kModel, and a dampening in [0, kMostDampening].
void CheckByGram(std::string_view method, const PruningPattern& pattern, double dampening, const FieldPath& at,
                 Faults& faults);

/// Throws Error unless `weight` is f32 [out, in] and `gram` f64 [in, in], neither of them 0.
void RequireLayer(std::string_view op, std::string_view name, const Tensor& weight, const Tensor& gram);

/// Throws Error (a runtime failure) unless all entries of a pruned weight are finite: large ones may have grown beyond
/// a float.
void RequireHeld(const Tensor& pruned, std::string_view name);

}  // namespace twofour::sparse
