#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels::loops {

// The loops of norm.h over f32 or bf16, on the calling thread. `weight` and `bias` may be null, which stands for ones
// and zeros. All instruction sets give the same bits. Sums are taken in double, in the order of reduce_loops.h.

// RmsNorm and the gradient of its input, over rows that may be as short as the head of an attention.

void RmsNorm(int64_t rows, int64_t cols, double eps, const float* x, const float* weight, float* y, float* inverse_rms);
void RmsNorm(int64_t rows, int64_t cols, double eps, const BFloat16* x, const float* weight, BFloat16* y,
             float* inverse_rms);
void RmsNormGrad(int64_t rows, int64_t cols, const float* x, const float* weight, const float* inverse_rms,
                 const float* dy, float* dx);
void RmsNormGrad(int64_t rows, int64_t cols, const BFloat16* x, const float* weight, const float* inverse_rms,
                 const BFloat16* dy, BFloat16* dx);

// Parts of norms, over one row.

/// The sum of dy * weight * (x - center).
double DotOfNormGrad(int64_t n, double center, const float* x, const float* weight, const float* dy);
double DotOfNormGrad(int64_t n, double center, const BFloat16* x, const float* weight, const BFloat16* dy);
/// y = (x - center) * scale * weight + bias
void Normalize(int64_t n, float center, float scale, const float* x, const float* weight, const float* bias, float* y);
void Normalize(int64_t n, float center, float scale, const BFloat16* x, const float* weight, const float* bias,
               BFloat16* y);
/// With g = dy * weight and the normalised x: dx = scale * (g - mean_g - (x - center) * scale * mean_gn).
void NormGrad(int64_t n, float center, float scale, float mean_g, float mean_gn, const float* x, const float* weight,
              const float* dy, float* dx);
void NormGrad(int64_t n, float center, float scale, float mean_g, float mean_gn, const BFloat16* x, const float* weight,
              const BFloat16* dy, BFloat16* dx);
/// out = dy * (x - center) * scale
void NormalizedProduct(int64_t n, float center, float scale, const float* x, const float* dy, float* out);
void NormalizedProduct(int64_t n, float center, float scale, const BFloat16* x, const BFloat16* dy, float* out);

}  // namespace twofour::kernels::loops
