#pragma once

#include <cstdint>

#include "twofour/core/kernels/gemm/gemm.h"

namespace twofour::kernels {

/// Contiguous C[n, n] = op(A) op(A)^T with op(A) [n, k]. Takes about 0.6 of the time of Gemm, because only blocks on
/// and above the diagonal are multiplied. C is symmetric to the bit. Results do not depend on the number of threads.
void SymmetricProduct(Transpose transpose_a, int64_t n, int64_t k, const float* a, float* c);

/// C += op(A) op(A)^T in double, in the same way. Of the old C, only what is on and above the diagonal counts.
void AddSymmetricProduct(Transpose transpose_a, int64_t n, int64_t k, const double* a, double* c);

}  // namespace twofour::kernels
