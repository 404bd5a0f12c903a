#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels::loops {

// The loops of reduce.h over f32 and bf16, on the calling thread. A sum consists of kPartialSums sums in double. Number
// j adds up the elements j, j + kPartialSums, ... in order. Then the upper half of these sums is added to the lower
// half, until one sum is left. Nothing is fused, so all instruction sets give the same bits.

inline constexpr int64_t kPartialSums = 16;

double Sum(int64_t n, const float* x);
double Sum(int64_t n, const BFloat16* x);
double SumOfSquares(int64_t n, const float* x);
double SumOfSquares(int64_t n, const BFloat16* x);
double SumOfSquaredDifferences(int64_t n, const float* a, const float* b);
/// The sum of a * b, each product taken in double.
double Dot(int64_t n, const float* a, const float* b);
double Dot(int64_t n, const BFloat16* a, const float* b);
/// dots[r * stride] = the sum of a * b over row r of a and b [rows, cols], rounded from double.
void RowDots(int64_t rows, int64_t cols, const float* a, const float* b, float* dots, int64_t stride);
void RowDots(int64_t rows, int64_t cols, const BFloat16* a, const BFloat16* b, float* dots, int64_t stride);
/// The sum of (x - center)^2, each difference taken in double.
double SumOfSquaredDeviations(int64_t n, double center, const float* x);
double SumOfSquaredDeviations(int64_t n, double center, const BFloat16* x);
int64_t CountNonZero(int64_t n, const float* x);
bool AllFinite(int64_t n, const float* x);

/// sums[c] += the sum over r of matrix[r * stride + c], for c in [0, cols). Four rows at a time are added as (r0 + r1)
/// + (r2 + r3), and the remaining rows one by one.
void AddRowsTo(int64_t rows, int64_t cols, int64_t stride, const float* matrix, double* sums);
void AddRowsTo(int64_t rows, int64_t cols, int64_t stride, const BFloat16* matrix, double* sums);

}  // namespace twofour::kernels::loops
