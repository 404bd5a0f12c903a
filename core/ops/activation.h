#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// max(x, 0).
Tensor Relu(const Tensor& x);
/// max(x, 0)^2. So et al., "Primer: Searching for Efficient Transformers", 2021. Leaves exact zeros
/// where x <= 0.
Tensor ReluSquared(const Tensor& x);
/// x Phi(x), exact (erf). Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
Tensor Gelu(const Tensor& x);
/// Its approximation x sigmoid(2u) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is 0.5 x (1 + tanh(u)): what GPT-2
/// was trained with ("gelu_new").
Tensor GeluTanh(const Tensor& x);
/// tanh(x).
Tensor Tanh(const Tensor& x);
/// 1 / (1 + exp(-x)).
Tensor Sigmoid(const Tensor& x);
/// cap * tanh(x / cap): nearly x where |x| is well below `cap`, and never beyond it. Gemma Team, "Gemma 2", 2024.
/// Throws Error unless `cap` is finite and positive, for all dtypes but f64 also as a float.
Tensor SoftCap(const Tensor& x, double cap);
/// silu(gate) * up with silu(g) = g / (1 + exp(-g)); both of the same shape. Shazeer, "GLU Variants Improve
/// Transformer", 2020.
Tensor SwiGlu(const Tensor& gate, const Tensor& up);

}  // namespace ops
}  // namespace twofour
