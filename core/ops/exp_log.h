#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

// Elementwise, of any floating dtype. A NaN stays a NaN.

/// exp(x).
Tensor Exp(const Tensor& x);
/// The natural logarithm of x: -infinity for 0, and a NaN for a negative x.
Tensor Log(const Tensor& x);

}  // namespace ops
}  // namespace twofour
