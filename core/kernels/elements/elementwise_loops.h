#pragma once

#include <cstdint>

namespace twofour::kernels::loops {

// The loops of elementwise.h over f32, on the calling thread. Each element is rounded after every operation and nothing
// is fused, so all instruction sets give the same bits.

void Add(int64_t n, const float* a, const float* b, float* out);
void Mul(int64_t n, const float* a, const float* b, float* out);
void Scale(int64_t n, float factor, const float* a, float* out);
void Axpy(int64_t n, float factor, const float* x, float* y);
void Relu(int64_t n, const float* x, float* out);
void ReluGrad(int64_t n, const float* x, const float* dy, float* dx);
void ReluSquared(int64_t n, const float* x, float* out);
void ReluSquaredGrad(int64_t n, const float* x, const float* dy, float* dx);
void AddRow(int64_t rows, int64_t cols, const float* row, float* matrix);

}  // namespace twofour::kernels::loops
