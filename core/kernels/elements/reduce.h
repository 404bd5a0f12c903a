#pragma once

#include <cstdint>

#include "twofour/core/dtype.h"

namespace twofour::kernels {

// Sums are taken in double, in an order that depends on the sizes alone: not on the number of threads, and not on the
// instruction set. T is float or double.

/// The sum of n elements. Any thread may sum a block of 8192 elements, in the order of reduce_loops.h if T is float.
/// Then one thread adds up the sums of the blocks in order.
template <typename T>
double Sum(int64_t n, const T* x);
/// The sum of the squares of n elements, in the same way.
template <typename T>
double SumOfSquares(int64_t n, const T* x);
/// The sum of (a - b)^2 over n elements, in the same way.
template <typename T>
double SumOfSquaredDifferences(int64_t n, const T* a, const T* b);
/// How many of n elements are not zero.
template <typename T>
int64_t CountNonZero(int64_t n, const T* x);
/// The index of the first of n elements that is NaN or infinite; -1 when all are finite.
template <typename T>
int64_t FindNonFinite(int64_t n, const T* x);
/// out[c] = the sum over r of matrix[r, c], for a matrix [rows, cols]. Any thread may sum a band of 256 rows. Then one
/// thread adds up the sums of the bands in order. T may also be BFloat16.
template <typename T>
void ColumnSums(int64_t rows, int64_t cols, const T* matrix, ComputeType<T>* out);

/// out[o, i] = factor * the sum over k of x[o, k, i], for x [outer, n, inner] and out [outer, inner]. The product is
/// taken in double, too. T may also be BFloat16.
template <typename T>
void SumAxis(int64_t outer, int64_t n, int64_t inner, double factor, const T* x, ComputeType<T>* out);

}  // namespace twofour::kernels
