#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// a + b, elementwise; equal shapes and dtypes.
Tensor Add(const Tensor& a, const Tensor& b);
/// a * b, elementwise; equal shapes and dtypes.
Tensor Mul(const Tensor& a, const Tensor& b);
/// factor * x.
Tensor Scale(const Tensor& x, double factor);
/// The sum of all elements, shape []. Summed in double, in an order that depends on the size only.
Tensor Sum(const Tensor& x);
/// The mean of all elements, shape []; 0 where there are none.
Tensor Mean(const Tensor& x);
/// The same elements under another shape with as many elements; shares them. One size may be -1: it follows from the
/// others.
Tensor Reshape(const Tensor& x, Shape shape);

}  // namespace ops
}  // namespace twofour
