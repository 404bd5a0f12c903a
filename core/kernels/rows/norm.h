#pragma once

#include <cstdint>

#include "twofour/core/dtype.h"

namespace twofour::kernels {

// Normalisation over the last dimension of [rows, cols]. T is float, double or BFloat16, and W, the type of parameters
// and statistics, is ComputeType<T>. Elements of BFloat16 are computed with as floats, and each result is rounded once.
// `weight` and `bias` are [cols] and may be null, which stands for ones and zeros. Statistics are summed in double. A
// gradient that is null is not computed.

/// y = x / sqrt(mean(x^2) + eps) * weight. Zhang and Sennrich, "Root Mean Square Layer
/// Normalization", 2019. inverse_rms [rows] keeps 1 / sqrt(...) for the backward pass.
template <typename T, typename W = ComputeType<T>>
void RmsNorm(int64_t rows, int64_t cols, double eps, const T* x, const W* weight, T* y, W* inverse_rms);
template <typename T, typename W = ComputeType<T>>
void RmsNormGrad(int64_t rows, int64_t cols, const T* x, const W* weight, const W* inverse_rms, const T* dy, T* dx,
                 W* dweight);

/// y = (x - mean) / sqrt(variance + eps) * weight + bias, with the biased variance. Ba et al.,
/// "Layer Normalization", 2016. mean and inverse_std, [rows] each, are kept for the backward pass.
template <typename T, typename W = ComputeType<T>>
void LayerNorm(int64_t rows, int64_t cols, double eps, const T* x, const W* weight, const W* bias, T* y, W* mean,
               W* inverse_std);
template <typename T, typename W = ComputeType<T>>
void LayerNormGrad(int64_t rows, int64_t cols, const T* x, const W* weight, const W* mean, const W* inverse_std,
                   const T* dy, T* dx, W* dweight, W* dbias);

}  // namespace twofour::kernels
