#pragma once

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// ||X (W - W')^T|| / ||X W^T|| in the Frobenius norm: how much of a linear's output (without its bias) another weight
/// changes. `gram` f64 [in, in] is X^T X. Weights are f32 [out, in]. Computed in double: where inputs depend on each
/// other so much that outputs are below some 1e-7 of their terms, rounding is all that is left. 0 for equal weights and
/// where both norms are 0, infinity where ||X W^T|| alone is. Throws Error on other tensors.
double OutputError(const Tensor& weight, const Tensor& pruned, const Tensor& gram);

}  // namespace twofour::sparse
