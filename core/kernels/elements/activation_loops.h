#pragma once

#include <cstdint>

namespace twofour::kernels::loops {

// The loops of activation.h over f32, on the calling thread. Results are within a few ulp of the exact values, and a
// NaN gives a NaN. The bits depend on the instruction set, because the loops use fused multiply-adds where there are
// any.

void Gelu(int64_t n, const float* x, float* out);
void GeluGrad(int64_t n, const float* x, const float* dy, float* dx);
void SoftCap(int64_t n, float cap, const float* x, float* y);
void SoftCapGrad(int64_t n, float cap, const float* y, const float* dy, float* dx);
void SwiGlu(int64_t n, const float* gate, const float* up, float* out);
void SwiGluGrad(int64_t n, const float* gate, const float* up, const float* dy, float* dgate, float* dup);

}  // namespace twofour::kernels::loops
