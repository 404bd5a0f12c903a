#pragma once

#include <cstdint>

namespace twofour::kernels::loops {

// The loops of softmax.h over one row of f32, on the calling thread. Exponentials are within 1 ulp or two, a NaN's is a
// NaN; their bits depend on the instruction set, as they use fused multiply-adds where there are any.

void Softmax(int64_t n, const float* x, float* y);
void SoftmaxGrad(int64_t n, const float* y, const float* dy, float* dx);
void LogSoftmax(int64_t n, const float* x, float* y);
void LogSoftmaxGrad(int64_t n, const float* y, const float* dy, float* dx);

/// The largest of a row and the sum of exp(x - highest).
template <typename T>
struct ExpSum {
  T highest;
  double sum;
};
/// Of n > 0 elements; the sum is a NaN where one of them is, or +infinity.
ExpSum<float> SumExp(int64_t n, const float* x);
/// out = exp(x - shift) * factor
void ScaledExp(int64_t n, float shift, float factor, const float* x, float* out);
/// out = exp(x - shift) * factor * (1 - (x / cap)^2), for x that went through SoftCap with that cap
void ScaledExpOfCapped(int64_t n, float shift, float factor, float cap, const float* x, float* out);

}  // namespace twofour::kernels::loops
