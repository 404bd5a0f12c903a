#include "twofour/core/kernels/elements/elementwise.h"

#include "twofour/core/kernels/elements/elementwise_loops.h"
#include "twofour/core/kernels/elements/in_ranges.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace loops {

// The overloads for double, as plain loops. They are static and not in an unnamed namespace, because they overload the
// f32 loops.

/// Not std::max: a NaN must come out as a NaN, or a broken run would look healthy.
static double Positive(double x) { return x < 0.0 ? 0.0 : x; }

static void Add(int64_t n, const double* a, const double* b, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = a[i] + b[i];
}

static void Sub(int64_t n, const double* a, const double* b, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = a[i] - b[i];
}

static void Mul(int64_t n, const double* a, const double* b, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = a[i] * b[i];
}

static void Div(int64_t n, const double* a, const double* b, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = a[i] / b[i];
}

static void Scale(int64_t n, double factor, const double* a, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = factor * a[i];
}

static void Axpy(int64_t n, double factor, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

static void Relu(int64_t n, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = Positive(x[i]);
}

static void ReluGrad(int64_t n, const double* x, const double* dy, double* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = x[i] > 0.0 ? dy[i] : 0.0;
}

static void ReluSquared(int64_t n, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = Positive(x[i]) * Positive(x[i]);
}

static void ReluSquaredGrad(int64_t n, const double* x, const double* dy, double* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = 2.0 * Positive(x[i]) * dy[i];
}

static void AddRow(int64_t rows, int64_t cols, const double* row, double* matrix) {
  for (int64_t r = 0; r < rows; ++r, matrix += cols) Add(cols, matrix, row, matrix);
}

}  // namespace loops

template <typename T>
void Add(int64_t n, const T* a, const T* b, T* out) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::Add(count, a + at, b + at, out + at); });
}

template <typename T>
void Sub(int64_t n, const T* a, const T* b, T* out) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::Sub(count, a + at, b + at, out + at); });
}

template <typename T>
void Mul(int64_t n, const T* a, const T* b, T* out) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::Mul(count, a + at, b + at, out + at); });
}

template <typename T>
void Div(int64_t n, const T* a, const T* b, T* out) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::Div(count, a + at, b + at, out + at); });
}

template <typename T>
void Scale(int64_t n, ComputeType<T> factor, const T* a, T* out) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::Scale(count, factor, a + at, out + at); });
}

template <typename T>
void Axpy(int64_t n, T factor, const T* x, T* y) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::Axpy(count, factor, x + at, y + at); });
}

template <typename T>
void Relu(int64_t n, const T* x, T* out) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::Relu(count, x + at, out + at); });
}

template <typename T>
void ReluGrad(int64_t n, const T* x, const T* dy, T* dx) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::ReluGrad(count, x + at, dy + at, dx + at); });
}

template <typename T>
void ReluSquared(int64_t n, const T* x, T* out) {
  InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { loops::ReluSquared(count, x + at, out + at); });
}

template <typename T>
void ReluSquaredGrad(int64_t n, const T* x, const T* dy, T* dx) {
  InRanges(n, kElementwiseGrain,
           [=](int64_t at, int64_t count) { loops::ReluSquaredGrad(count, x + at, dy + at, dx + at); });
}

template <typename T>
void AddRow(int64_t rows, int64_t cols, const ComputeType<T>* row, T* matrix) {
  ParallelFor(rows, RowGrain(cols),
              [=](int64_t begin, int64_t end) { loops::AddRow(end - begin, cols, row, matrix + begin * cols); });
}

template <typename T>
void Add(const Broadcast& plan, const T* a, const T* b, T* out) {
  ForBroadcastPieces(plan, a, b, out, [](auto... args) { loops::Add(args...); });
}

template <typename T>
void Sub(const Broadcast& plan, const T* a, const T* b, T* out) {
  ForBroadcastPieces(plan, a, b, out, [](auto... args) { loops::Sub(args...); });
}

template <typename T>
void Mul(const Broadcast& plan, const T* a, const T* b, T* out) {
  ForBroadcastPieces(plan, a, b, out, [](auto... args) { loops::Mul(args...); });
}

template <typename T>
void Div(const Broadcast& plan, const T* a, const T* b, T* out) {
  ForBroadcastPieces(plan, a, b, out, [](auto... args) { loops::Div(args...); });
}

template <typename T>
void Expand(const Broadcast& plan, const T* x, T* out) {
  ForBroadcastPieces(plan, x, x, out, [](int64_t n, const T* from, const T*, T* to) { std::copy_n(from, n, to); });
}

#define TWOFOUR_INSTANTIATE(T)                                       \
  template void Add<T>(int64_t, const T*, const T*, T*);             \
  template void Sub<T>(int64_t, const T*, const T*, T*);             \
  template void Mul<T>(int64_t, const T*, const T*, T*);             \
  template void Div<T>(int64_t, const T*, const T*, T*);             \
  template void Add<T>(const Broadcast&, const T*, const T*, T*);    \
  template void Sub<T>(const Broadcast&, const T*, const T*, T*);    \
  template void Mul<T>(const Broadcast&, const T*, const T*, T*);    \
  template void Div<T>(const Broadcast&, const T*, const T*, T*);    \
  template void Expand<T>(const Broadcast&, const T*, T*);           \
  template void Scale<T>(int64_t, ComputeType<T>, const T*, T*);     \
  template void Relu<T>(int64_t, const T*, T*);                      \
  template void ReluGrad<T>(int64_t, const T*, const T*, T*);        \
  template void ReluSquared<T>(int64_t, const T*, T*);               \
  template void ReluSquaredGrad<T>(int64_t, const T*, const T*, T*); \
  template void AddRow<T>(int64_t, int64_t, const ComputeType<T>*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
TWOFOUR_INSTANTIATE(BFloat16)
#undef TWOFOUR_INSTANTIATE
template void Axpy<float>(int64_t, float, const float*, float*);
template void Axpy<double>(int64_t, double, const double*, double*);

}  // namespace twofour::kernels
