#pragma once

#include <cstdint>

namespace twofour::kernels {

// Sums in double, in an order that depends on the sizes alone, neither on threads nor on the instruction set; T is
// float or double.

/// The sum of n elements: blocks of 8192 are summed by whichever thread (in the order of reduce_loops.h where T is
/// float), their sums in order by one.
template <typename T>
double Sum(int64_t n, const T* x);
/// The sum of squares of n elements, likewise.
template <typename T>
double SumOfSquares(int64_t n, const T* x);
/// The sum of (a - b)^2 over n elements, likewise.
template <typename T>
double SumOfSquaredDifferences(int64_t n, const T* a, const T* b);
/// How many of n elements are not zero.
template <typename T>
int64_t CountNonZero(int64_t n, const T* x);
/// The index of the first of n elements that is NaN or infinite; -1 when all are finite.
template <typename T>
int64_t FindNonFinite(int64_t n, const T* x);
/// out[c] = sum over r of matrix[r, c], for a [rows, cols] matrix: bands of 256 rows are summed by whichever thread,
/// their sums in order by one.
template <typename T>
void ColumnSums(int64_t rows, int64_t cols, const T* matrix, T* out);

}  // namespace twofour::kernels
