#pragma once

#include <cstdint>

namespace twofour::kernels {

// Normalisation over the last dimension of [rows, cols]. T is float or double. `weight` and `bias` are [cols] and may
// be null, which stands for ones and zeros. Statistics are summed in double. A gradient that is null is not computed.

/// y = x / sqrt(mean(x^2) + eps) * weight. Zhang and Sennrich, "Root Mean Square Layer
/// Normalization", 2019. inverse_rms [rows] keeps 1 / sqrt(...) for the backward pass.
template <typename T>
void RmsNorm(int64_t rows, int64_t cols, double eps, const T* x, const T* weight, T* y, T* inverse_rms);
template <typename T>
void RmsNormGrad(int64_t rows, int64_t cols, const T* x, const T* weight, const T* inverse_rms, const T* dy, T* dx,
                 T* dweight);

/// y = (x - mean) / sqrt(variance + eps) * weight + bias, with the biased variance. Ba et al.,
/// "Layer Normalization", 2016. mean and inverse_std, [rows] each, are kept for the backward pass.
template <typename T>
void LayerNorm(int64_t rows, int64_t cols, double eps, const T* x, const T* weight, const T* bias, T* y, T* mean,
               T* inverse_std);
template <typename T>
void LayerNormGrad(int64_t rows, int64_t cols, const T* x, const T* weight, const T* mean, const T* inverse_std,
                   const T* dy, T* dx, T* dweight, T* dbias);

}  // namespace twofour::kernels
