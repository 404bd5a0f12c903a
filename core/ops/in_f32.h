#pragma once

#include "twofour/core/ops/cast.h"
#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// Runs an op on activations of 16 bits that its kernels do not take: casts them to f32, calls op, and rounds the
/// result to the dtype of `first`. The gradients of the activations are rounded to their dtypes.
template <typename Op, typename... Tensors>
Tensor InF32(const Op& op, const Tensor& first, const Tensors&... others) {
  return Cast(op(Cast(first, DType::kF32), Cast(others, DType::kF32)...), first.dtype());
}

}  // namespace ops
}  // namespace twofour
