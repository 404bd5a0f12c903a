#pragma once

#include "twofour/core/tensor.h"

namespace twofour {

/// max(x, 0).
Tensor Relu(const Tensor& x);
/// max(x, 0)^2. So et al., "Primer: Searching for Efficient Transformers", 2021. Leaves exact zeros
/// where x <= 0.
Tensor ReluSquared(const Tensor& x);
/// x Phi(x), exact (erf). Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
Tensor Gelu(const Tensor& x);

}  // namespace twofour
