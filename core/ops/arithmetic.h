#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

// Elementwise, on two tensors of one floating dtype. Shapes that differ are stretched as NumPy and PyTorch do (see
// BroadcastShape): [batch, features] and [features], or [batch, 1], or [] go together. operators.h has the signs.

/// a + b.
Tensor Add(const Tensor& a, const Tensor& b);
/// a - b.
Tensor Sub(const Tensor& a, const Tensor& b);
/// a * b.
Tensor Mul(const Tensor& a, const Tensor& b);
/// a / b; x / 0 is an infinity, and 0 / 0 a NaN.
Tensor Div(const Tensor& a, const Tensor& b);
/// factor * x.
Tensor Scale(const Tensor& x, double factor);

}  // namespace ops
}  // namespace twofour
