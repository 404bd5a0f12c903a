#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels::loops {

// The loops of elementwise.h over f32 and bf16, on the calling thread. Each element is computed with as a float and
// rounded after every operation. Nothing is fused, so all instruction sets give the same bits. A loop over bf16 gives
// what the loop over the same numbers as floats gives, rounded.

void Add(int64_t n, const float* a, const float* b, float* out);
void Add(int64_t n, const BFloat16* a, const BFloat16* b, BFloat16* out);
void Sub(int64_t n, const float* a, const float* b, float* out);
void Sub(int64_t n, const BFloat16* a, const BFloat16* b, BFloat16* out);
void Mul(int64_t n, const float* a, const float* b, float* out);
void Mul(int64_t n, const BFloat16* a, const BFloat16* b, BFloat16* out);
void Div(int64_t n, const float* a, const float* b, float* out);
void Div(int64_t n, const BFloat16* a, const BFloat16* b, BFloat16* out);
void Scale(int64_t n, float factor, const float* a, float* out);
void Scale(int64_t n, float factor, const BFloat16* a, BFloat16* out);
void Axpy(int64_t n, float factor, const float* x, float* y);
void Relu(int64_t n, const float* x, float* out);
void Relu(int64_t n, const BFloat16* x, BFloat16* out);
void ReluGrad(int64_t n, const float* x, const float* dy, float* dx);
void ReluGrad(int64_t n, const BFloat16* x, const BFloat16* dy, BFloat16* dx);
void ReluSquared(int64_t n, const float* x, float* out);
void ReluSquared(int64_t n, const BFloat16* x, BFloat16* out);
void ReluSquaredGrad(int64_t n, const float* x, const float* dy, float* dx);
void ReluSquaredGrad(int64_t n, const BFloat16* x, const BFloat16* dy, BFloat16* dx);
void AddRow(int64_t rows, int64_t cols, const float* row, float* matrix);
void AddRow(int64_t rows, int64_t cols, const float* row, BFloat16* matrix);
/// sums += x
void AddTo(int64_t n, const float* x, float* sums);
void AddTo(int64_t n, const BFloat16* x, float* sums);

}  // namespace twofour::kernels::loops
