#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels::loops {

// The loops of activation.h over f32 and bf16, on the calling thread. Results over f32 are within a few ulp of the
// exact values, and a NaN gives a NaN. The bits depend on the instruction set, because the loops use fused
// multiply-adds where there are any. A loop over bf16 gives what the loop over the same numbers as floats gives,
// rounded.

void Exp(int64_t n, const float* x, float* out);
void Exp(int64_t n, const BFloat16* x, BFloat16* out);
void Log(int64_t n, const float* x, float* out);
void Log(int64_t n, const BFloat16* x, BFloat16* out);
void Sigmoid(int64_t n, const float* x, float* out);
void Sigmoid(int64_t n, const BFloat16* x, BFloat16* out);
void SigmoidGrad(int64_t n, const float* x, const float* dy, float* dx);
void SigmoidGrad(int64_t n, const BFloat16* x, const BFloat16* dy, BFloat16* dx);
void Gelu(int64_t n, const float* x, float* out);
void Gelu(int64_t n, const BFloat16* x, BFloat16* out);
void GeluGrad(int64_t n, const float* x, const float* dy, float* dx);
void GeluGrad(int64_t n, const BFloat16* x, const BFloat16* dy, BFloat16* dx);
void GeluTanh(int64_t n, const float* x, float* out);
void GeluTanh(int64_t n, const BFloat16* x, BFloat16* out);
void GeluTanhGrad(int64_t n, const float* x, const float* dy, float* dx);
void GeluTanhGrad(int64_t n, const BFloat16* x, const BFloat16* dy, BFloat16* dx);
void SoftCap(int64_t n, float cap, const float* x, float* y);
void SoftCap(int64_t n, float cap, const BFloat16* x, BFloat16* y);
/// From the output of SoftCap.
void SoftCapGrad(int64_t n, float cap, const float* y, const float* dy, float* dx);
/// From the input of SoftCap.
void SoftCapGradOfInput(int64_t n, float cap, const BFloat16* x, const BFloat16* dy, BFloat16* dx);
void SwiGlu(int64_t n, const float* gate, const float* up, float* out);
void SwiGlu(int64_t n, const BFloat16* gate, const BFloat16* up, BFloat16* out);
void SwiGluGrad(int64_t n, const float* gate, const float* up, const float* dy, float* dgate, float* dup);
void SwiGluGrad(int64_t n, const BFloat16* gate, const BFloat16* up, const BFloat16* dy, BFloat16* dgate,
                BFloat16* dup);

}  // namespace twofour::kernels::loops
