#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::bench {

// What an MLP step does besides its products, written as fast as we can for a dense library: vectorised for this
// processor (limited by TWOFOUR_MAX_ISA), threaded by OpenMP, and with as few passes over memory as the library's
// products allow. Matrices are [rows, cols], row-major.

/// matrix += row, for each row.
void AddBias(int64_t rows, int64_t cols, const float* bias, float* matrix);
/// out = max(in + bias, 0)^2.
void AddBiasReluSquared(int64_t rows, int64_t cols, const float* in, const float* bias, float* out);
/// grad = 2 max(in + bias, 0) grad in place, and its column sums into bias_grad.
void ReluSquaredBackward(int64_t rows, int64_t cols, const float* in, const float* bias, float* grad, float* bias_grad);
/// sums = the sums of the matrix's columns.
void SumColumns(int64_t rows, int64_t cols, const float* matrix, float* sums);

// In bf16 the library's products add the biases and apply ReLU^2 themselves. What is left computes in f32 and rounds to
// nearest even, by the processor's own instruction if it has one.

/// `count` elements of `from`, rounded.
void RoundToBf16(int64_t count, const float* from, BFloat16* to);
/// grad = 2 sqrt(activation) grad in place, and its column sums, before they are rounded, into bias_grad. `activation`
/// is the result of ReLU^2, so the root is that of ReLU.
void ReluSquaredBackward(int64_t rows, int64_t cols, const BFloat16* activation, BFloat16* grad, float* bias_grad);
void SumColumns(int64_t rows, int64_t cols, const BFloat16* matrix, float* sums);

}  // namespace twofour::bench
