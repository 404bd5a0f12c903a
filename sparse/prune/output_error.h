#pragma once

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// ||X (W - W')^T|| / ||X W^T|| in the Frobenius norm: how much of a linear's output (without its bias) another weight
/// changes. `gram` f64 [in, in] is X^T X. Weights are f32 [out, in]. Computed in double, but no better than the Gram
/// matrix is: InputStatistics adds up products of floats, so where inputs are nearly dependent an error may come out
/// far too small, or as 0. 0 for equal weights, and where both norms are 0. Throws Error on other tensors.
double OutputError(const Tensor& weight, const Tensor& pruned, const Tensor& gram);

}  // namespace twofour::sparse
