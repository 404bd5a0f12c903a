#pragma once

#include <memory>
#include <string_view>

#include "twofour/core/ops/windows.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/semi_sparse_weight.h"

namespace twofour::sparse {

/// x times the transpose of a masked weight, plus bias. x is [..., in_features], `weight` the dense f32 master weight
/// [out_features, in_features], `packed` its masked form, bias [out_features] or undefined. The result is
/// [..., out_features]. x is f32, f16 or bf16, as in Linear.
///
/// The gradient of x goes through the masked weight. The gradient of `weight` is that of a dense linear, not masked:
/// the straight-through estimator (Bengio et al., 2013). So pruned weights keep learning and may come back.
Tensor MaskedLinear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    std::shared_ptr<const SemiSparseWeight> packed);

/// The convolution Conv2d whose products are those of MaskedLinear: weight [out_channels, kernel height * kernel width
/// * in_channels].
Tensor MaskedConv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    std::shared_ptr<const SemiSparseWeight> packed, const WindowOptions& options);

/// Prunes each 4x4 tile of x, seen as [rows, features], to a mask that `method` (kExact or kGreedy) finds. Rows beyond
/// a multiple of 4 are tiled together with rows of zeros. The gradient passes straight through. x is f32, f16 or bf16
/// [..., features], with features a multiple of 4. Throws Error (a runtime failure) that says `name` if x holds a NaN
/// or infinity.
Tensor PruneTiles(const Tensor& x, MaskMethod method, std::string_view name = "PruneTiles");

}  // namespace twofour::sparse
