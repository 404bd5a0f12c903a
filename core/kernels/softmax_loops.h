#pragma once

#include <cstdint>

namespace twofour::kernels::loops {

// The loops of softmax.h over one row of f32, on the calling thread. Exponentials are within 1 ulp or two, a NaN's is a
// NaN; their bits depend on the instruction set, as they use fused multiply-adds where there are any.

void Softmax(int64_t n, const float* x, float* y);
void SoftmaxGrad(int64_t n, const float* y, const float* dy, float* dx);
void LogSoftmax(int64_t n, const float* x, float* y);
void LogSoftmaxGrad(int64_t n, const float* y, const float* dy, float* dx);
/// out = exp(x) * factor
void ScaledExp(int64_t n, float factor, const float* x, float* out);

}  // namespace twofour::kernels::loops
