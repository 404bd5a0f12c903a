#pragma once

#include <cstdint>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/elements/broadcast.h"

namespace twofour::kernels {

// Elementwise loops over n contiguous elements, on all threads. T is float, double or BFloat16. Elements of BFloat16
// are computed with as floats, and each result is rounded once. An output may be the same array as an input, but must
// not overlap one in any other way.

/// out = a + b
template <typename T>
void Add(int64_t n, const T* a, const T* b, T* out);
/// out = a - b
template <typename T>
void Sub(int64_t n, const T* a, const T* b, T* out);
/// out = a * b
template <typename T>
void Mul(int64_t n, const T* a, const T* b, T* out);
/// out = a / b, as IEEE 754 rounds it; x / 0 is an infinity, and 0 / 0 a NaN
template <typename T>
void Div(int64_t n, const T* a, const T* b, T* out);
/// out = factor * a
template <typename T>
void Scale(int64_t n, ComputeType<T> factor, const T* a, T* out);
/// y += factor * x, for float and double
template <typename T>
void Axpy(int64_t n, T factor, const T* x, T* y);

/// out = max(x, 0); a NaN stays a NaN
template <typename T>
void Relu(int64_t n, const T* x, T* out);
/// dx = dy where x > 0, else 0
template <typename T>
void ReluGrad(int64_t n, const T* x, const T* dy, T* dx);
/// out = max(x, 0)^2; a NaN stays a NaN
template <typename T>
void ReluSquared(int64_t n, const T* x, T* out);
/// dx = 2 max(x, 0) dy
template <typename T>
void ReluSquaredGrad(int64_t n, const T* x, const T* dy, T* dx);

/// matrix[r, c] += row[c] for a [rows, cols] matrix.
template <typename T>
void AddRow(int64_t rows, int64_t cols, const ComputeType<T>* row, T* matrix);

// The same where an operand is stretched. `out` must not overlap `a` or `b`.

template <typename T>
void Add(const Broadcast& plan, const T* a, const T* b, T* out);
template <typename T>
void Sub(const Broadcast& plan, const T* a, const T* b, T* out);
template <typename T>
void Mul(const Broadcast& plan, const T* a, const T* b, T* out);
template <typename T>
void Div(const Broadcast& plan, const T* a, const T* b, T* out);
/// out = x, stretched as the plan's `a`
template <typename T>
void Expand(const Broadcast& plan, const T* x, T* out);

}  // namespace twofour::kernels
