#pragma once

#include "twofour/core/tensor.h"

namespace twofour::inline ops {

/// a [m, k] times b [k, n]: [m, n].
Tensor MatMul(const Tensor& a, const Tensor& b);

/// x W^T + bias: x [..., in_features], weight [out_features, in_features], bias [out_features] or
/// undefined; the result is [..., out_features].
Tensor Linear(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor());

}  // namespace twofour::inline ops
