#pragma once

#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// The shape of an elementwise result of `a` and `b`, by NumPy's and PyTorch's rule: shapes are aligned at their last
/// dimensions, a missing dimension counts as 1, and a size of 1 stretches to the other one's. Throws Error, naming the
/// op, where two sizes differ and neither is 1.
Shape BroadcastShape(std::string_view op, const Tensor& a, const Tensor& b);

/// x stretched to `shape`: each element is repeated along the dimensions that grow. PyTorch's expand(), but a copy.
/// Throws Error where x cannot be stretched to it.
Tensor Expand(const Tensor& x, const Shape& shape);

/// The gradient of a tensor of `shape` that was stretched: `grad`, summed over the dimensions that grew. Records
/// nothing. Sums are taken in double, and the result has the dtype of `grad`.
Tensor SumTo(const Tensor& grad, const Shape& shape);

}  // namespace ops
}  // namespace twofour
