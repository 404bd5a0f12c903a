#pragma once

#include "twofour/core/ops/cast.h"
#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// What an op does with activations of 16 bits where its kernels take f32: op(x...) of the activations as f32, rounded
/// to the dtype of the first. Their gradients are rounded likewise.
template <typename Op, typename... Tensors>
Tensor InF32(const Op& op, const Tensor& first, const Tensors&... others) {
  return Cast(op(Cast(first, DType::kF32), Cast(others, DType::kF32)...), first.dtype());
}

}  // namespace ops
}  // namespace twofour
