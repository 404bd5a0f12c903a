#pragma once

#include <optional>

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// a [m, k] times b [k, n]: [m, n].
Tensor MatMul(const Tensor& a, const Tensor& b);

/// x W^T + bias: x [..., in_features], weight [out_features, in_features], bias [out_features] or
/// undefined; the result is [..., out_features]. The weight and the bias are f32 or f64, and x has their dtype. Beside
/// an f32 weight, a master that training keeps, x may also be f16 or bf16. Then the result and the gradient of x have
/// the dtype of x, each rounded once from sums in f32, and the gradients of the weight and the bias are f32. With
/// `result` f32, the sums themselves are the result, as logits need them. Its gradient, which is f32 then, is rounded
/// to the dtype of x where it is multiplied.
Tensor Linear(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor(),
              std::optional<DType> result = std::nullopt);

}  // namespace ops
}  // namespace twofour
