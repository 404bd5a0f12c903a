#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace twofour::kernels::loops {

// The overloads for double of reduce_loops.h: plain loops, from the first element to the last.

inline double Sum(int64_t n, const double* x) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

inline double SumOfSquares(int64_t n, const double* x) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum;
}

inline double SumOfSquaredDifferences(int64_t n, const double* a, const double* b) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

inline double Dot(int64_t n, const double* a, const double* b) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

inline void RowDots(int64_t rows, int64_t cols, const double* a, const double* b, double* dots, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) dots[r * stride] = Dot(cols, a + r * cols, b + r * cols);
}

inline double SumOfSquaredDeviations(int64_t n, double center, const double* x) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += (x[i] - center) * (x[i] - center);
  return sum;
}

inline int64_t CountNonZero(int64_t n, const double* x) {
  return std::count_if(x, x + n, [](double value) { return value != 0.0; });
}

inline bool AllFinite(int64_t n, const double* x) {
  return std::all_of(x, x + n, [](double value) { return std::isfinite(value); });
}

inline void AddRowsTo(int64_t rows, int64_t cols, int64_t stride, const double* matrix, double* sums) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) sums[c] += matrix[r * stride + c];
  }
}

}  // namespace twofour::kernels::loops
