#pragma once

#include <memory>
#include <string_view>

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/semi_sparse_weight.h"

namespace twofour::sparse {

/// x times a masked weight transposed, plus bias: x [..., in_features], `weight` the dense f32 master weight
/// [out_features, in_features], `packed` its masked form, bias [out_features] or undefined; result
/// [..., out_features]. x may also be f16 or bf16, as in Linear.
///
/// The gradient of x goes through the masked weight; the gradient of `weight` is that of a dense linear, unmasked:
/// the straight-through estimator (Bengio et al., 2013), so that pruned weights keep learning and may come back.
Tensor MaskedLinear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    std::shared_ptr<const SemiSparseWeight> packed);

/// x [..., features] with each 4x4 tile of [rows, features] pruned to its mask, found by `method` (kExact or kGreedy).
/// Rows beyond a multiple of 4 are tiled with rows of zeros. The gradient passes straight through. features must be a
/// multiple of 4; x is f32, f16 or bf16. Throws Error (a runtime failure) that says `name` when x holds a NaN or
/// infinity.
Tensor PruneTiles(const Tensor& x, MaskMethod method, std::string_view name = "PruneTiles");

}  // namespace twofour::sparse
