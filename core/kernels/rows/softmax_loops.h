#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels::loops {

// The loops of softmax.h over one row of f32, on the calling thread. Exponentials are within one or two ulp, and a NaN
// gives a NaN. The bits depend on the instruction set, because the loops use fused multiply-adds where there are any.

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
/// For n > 0 elements. The sum is a NaN if one of the elements is a NaN or +infinity.
ExpSum<float> SumExp(int64_t n, const float* x);
/// out = exp(x - shift) * factor
void ScaledExp(int64_t n, float shift, float factor, const float* x, float* out);
void ScaledExp(int64_t n, float shift, float factor, const float* x, BFloat16* out);
/// out = exp(x - shift) * factor * (1 - (x / cap)^2), for x that went through SoftCap with that cap
void ScaledExpOfCapped(int64_t n, float shift, float factor, float cap, const float* x, float* out);
void ScaledExpOfCapped(int64_t n, float shift, float factor, float cap, const float* x, BFloat16* out);

}  // namespace twofour::kernels::loops
