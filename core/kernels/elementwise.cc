#include "twofour/core/kernels/elementwise.h"

#include <cmath>
#include <numbers>

#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

/// out[i] = function(i) for all i, threaded.
template <typename F>
void ForEach(int64_t n, F function) {
  ParallelFor(n, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) function(i);
  });
}

/// Not std::max: a NaN must come out as a NaN, or a broken run would look healthy.
template <typename T>
T Positive(T x) {
  return x < T{0} ? T{0} : x;
}

}  // namespace

template <typename T>
void Add(int64_t n, const T* a, const T* b, T* out) {
  ForEach(n, [=](int64_t i) { out[i] = a[i] + b[i]; });
}

template <typename T>
void Mul(int64_t n, const T* a, const T* b, T* out) {
  ForEach(n, [=](int64_t i) { out[i] = a[i] * b[i]; });
}

template <typename T>
void Scale(int64_t n, T factor, const T* a, T* out) {
  ForEach(n, [=](int64_t i) { out[i] = factor * a[i]; });
}

template <typename T>
void Axpy(int64_t n, T factor, const T* x, T* y) {
  ForEach(n, [=](int64_t i) { y[i] += factor * x[i]; });
}

template <typename T>
void Relu(int64_t n, const T* x, T* out) {
  ForEach(n, [=](int64_t i) { out[i] = Positive(x[i]); });
}

template <typename T>
void ReluGrad(int64_t n, const T* x, const T* dy, T* dx) {
  ForEach(n, [=](int64_t i) { dx[i] = x[i] > T{0} ? dy[i] : T{0}; });
}

template <typename T>
void ReluSquared(int64_t n, const T* x, T* out) {
  ForEach(n, [=](int64_t i) { out[i] = Positive(x[i]) * Positive(x[i]); });
}

template <typename T>
void ReluSquaredGrad(int64_t n, const T* x, const T* dy, T* dx) {
  ForEach(n, [=](int64_t i) { dx[i] = T{2} * Positive(x[i]) * dy[i]; });
}

template <typename T>
void Gelu(int64_t n, const T* x, T* out) {
  constexpr T kInverseSqrt2 = T{1} / std::numbers::sqrt2_v<T>;
  ForEach(n, [=](int64_t i) { out[i] = T{0.5} * x[i] * (T{1} + std::erf(x[i] * kInverseSqrt2)); });
}

template <typename T>
void GeluGrad(int64_t n, const T* x, const T* dy, T* dx) {
  constexpr T kInverseSqrt2 = T{1} / std::numbers::sqrt2_v<T>;
  constexpr T kInverseSqrt2Pi = kInverseSqrt2 * std::numbers::inv_sqrtpi_v<T>;
  ForEach(n, [=](int64_t i) {
    const T cdf = T{0.5} * (T{1} + std::erf(x[i] * kInverseSqrt2));
    const T pdf = kInverseSqrt2Pi * std::exp(T{-0.5} * x[i] * x[i]);
    dx[i] = dy[i] * (cdf + x[i] * pdf);
  });
}

template <typename T>
void AddRow(int64_t rows, int64_t cols, const T* row, T* matrix) {
  ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* out = matrix + r * cols;
      for (int64_t c = 0; c < cols; ++c) out[c] += row[c];
    }
  });
}

#define TWOFOUR_INSTANTIATE(T)                                       \
  template void Add<T>(int64_t, const T*, const T*, T*);             \
  template void Mul<T>(int64_t, const T*, const T*, T*);             \
  template void Scale<T>(int64_t, T, const T*, T*);                  \
  template void Axpy<T>(int64_t, T, const T*, T*);                   \
  template void Relu<T>(int64_t, const T*, T*);                      \
  template void ReluGrad<T>(int64_t, const T*, const T*, T*);        \
  template void ReluSquared<T>(int64_t, const T*, T*);               \
  template void ReluSquaredGrad<T>(int64_t, const T*, const T*, T*); \
  template void Gelu<T>(int64_t, const T*, T*);                      \
  template void GeluGrad<T>(int64_t, const T*, const T*, T*);        \
  template void AddRow<T>(int64_t, int64_t, const T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
#undef TWOFOUR_INSTANTIATE

}  // namespace twofour::kernels
