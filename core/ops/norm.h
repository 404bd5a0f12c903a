#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension: x [..., features], weight [features]
/// or undefined. The weight has the dtype of x; where that is f16 or bf16, the weight is f32. Zhang and Sennrich, "Root
/// Mean Square Layer Normalization", 2019.
Tensor RmsNorm(const Tensor& x, const Tensor& weight = Tensor(), double eps = 1e-6);

/// (x - mean) / sqrt(variance + eps) * weight + bias over the last dimension, with the biased variance: x [...,
/// features], weight and bias [features] or undefined, with dtypes as for RmsNorm. Ba et al., "Layer Normalization",
/// 2016.
Tensor LayerNorm(const Tensor& x, const Tensor& weight = Tensor(), const Tensor& bias = Tensor(), double eps = 1e-5);

}  // namespace ops
}  // namespace twofour
