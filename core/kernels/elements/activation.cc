#include "twofour/core/kernels/elements/activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "twofour/core/kernels/elements/activation_loops.h"
#include "twofour/core/kernels/elements/in_ranges.h"

namespace twofour::kernels {
namespace loops {

// The overloads for double, as plain loops. They are static and not in an unnamed namespace, because they overload the
// f32 loops.

static void Exp(int64_t n, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = std::exp(x[i]);
}

static void Log(int64_t n, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = std::log(x[i]);
}

constexpr double kTanhFactor = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, kTanhCubic = 0.044715;
// Beyond it, the sigmoid in GeluTanh is 0 or 1. Its argument would overflow far from 0.
constexpr double kTanhEnd = 30;

static double TwiceTanhArgument(double x) {
  const double bounded = std::clamp(x, -kTanhEnd, kTanhEnd);
  return 2 * kTanhFactor * bounded * (1 + kTanhCubic * bounded * bounded);
}

static double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

static void Gelu(int64_t n, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * NormalCdf(x[i]);
}

static void GeluGrad(int64_t n, const double* x, const double* dy, double* dx) {
  constexpr double kInverseSqrt2Pi = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  for (int64_t i = 0; i < n; ++i) {
    dx[i] = dy[i] * (NormalCdf(x[i]) + x[i] * kInverseSqrt2Pi * std::exp(-0.5 * x[i] * x[i]));
  }
}

static void SoftCap(int64_t n, double cap, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = cap * std::tanh(x[i] / cap);
}

static void SoftCapGrad(int64_t n, double cap, const double* y, const double* dy, double* dx) {
  for (int64_t i = 0; i < n; ++i) {
    const double tanh = y[i] / cap;
    dx[i] = (1.0 - tanh * tanh) * dy[i];
  }
}

static double SigmoidOf(double x) { return 1.0 / (1.0 + std::exp(-x)); }

static void Sigmoid(int64_t n, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = SigmoidOf(x[i]);
}

static void SigmoidGrad(int64_t n, const double* x, const double* dy, double* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = SigmoidOf(x[i]) * SigmoidOf(-x[i]) * dy[i];
}

static void GeluTanh(int64_t n, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * SigmoidOf(TwiceTanhArgument(x[i]));
}

static void GeluTanhGrad(int64_t n, const double* x, const double* dy, double* dx) {
  for (int64_t i = 0; i < n; ++i) {
    const double u = TwiceTanhArgument(x[i]), sigmoid = SigmoidOf(u), bounded = std::clamp(x[i], -kTanhEnd, kTanhEnd);
    const double slope = 2 * kTanhFactor * (1 + 3 * kTanhCubic * bounded * bounded);
    dx[i] = dy[i] * sigmoid * (1 + bounded * SigmoidOf(-u) * slope);
  }
}

static void SwiGlu(int64_t n, const double* gate, const double* up, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = gate[i] * SigmoidOf(gate[i]) * up[i];
}

static void SwiGluGrad(int64_t n, const double* gate, const double* up, const double* dy, double* dgate, double* dup) {
  for (int64_t i = 0; i < n; ++i) {
    const double g = gate[i], u = up[i], d = dy[i], sigmoid = SigmoidOf(g);
    dgate[i] = sigmoid * (1.0 + g * SigmoidOf(-g)) * u * d;
    dup[i] = g * sigmoid * d;
  }
}

}  // namespace loops

namespace {

/// A thread should get at least this many elements.
constexpr int64_t kGrain = kElementwiseGrain / 4;

}  // namespace

template <typename T>
void Exp(int64_t n, const T* x, T* out) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::Exp(count, x + at, out + at); });
}

template <typename T>
void Log(int64_t n, const T* x, T* out) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::Log(count, x + at, out + at); });
}

template <typename T>
void Sigmoid(int64_t n, const T* x, T* out) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::Sigmoid(count, x + at, out + at); });
}

template <typename T>
void SigmoidGrad(int64_t n, const T* x, const T* dy, T* dx) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::SigmoidGrad(count, x + at, dy + at, dx + at); });
}

template <typename T>
void Gelu(int64_t n, const T* x, T* out) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::Gelu(count, x + at, out + at); });
}

template <typename T>
void GeluGrad(int64_t n, const T* x, const T* dy, T* dx) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::GeluGrad(count, x + at, dy + at, dx + at); });
}

template <typename T>
void GeluTanh(int64_t n, const T* x, T* out) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::GeluTanh(count, x + at, out + at); });
}

template <typename T>
void GeluTanhGrad(int64_t n, const T* x, const T* dy, T* dx) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::GeluTanhGrad(count, x + at, dy + at, dx + at); });
}

template <typename T>
void SoftCap(int64_t n, ComputeType<T> cap, const T* x, T* y) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::SoftCap(count, cap, x + at, y + at); });
}

template <typename T>
void SoftCapGrad(int64_t n, T cap, const T* y, const T* dy, T* dx) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::SoftCapGrad(count, cap, y + at, dy + at, dx + at); });
}

void SoftCapGradOfInput(int64_t n, float cap, const BFloat16* x, const BFloat16* dy, BFloat16* dx) {
  InRanges(n, kGrain,
           [=](int64_t at, int64_t count) { loops::SoftCapGradOfInput(count, cap, x + at, dy + at, dx + at); });
}

template <typename T>
void SwiGlu(int64_t n, const T* gate, const T* up, T* out) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) { loops::SwiGlu(count, gate + at, up + at, out + at); });
}

template <typename T>
void SwiGluGrad(int64_t n, const T* gate, const T* up, const T* dy, T* dgate, T* dup) {
  InRanges(n, kGrain, [=](int64_t at, int64_t count) {
    loops::SwiGluGrad(count, gate + at, up + at, dy + at, dgate + at, dup + at);
  });
}

#define TWOFOUR_INSTANTIATE(T)                                     \
  template void Exp<T>(int64_t, const T*, T*);                     \
  template void Log<T>(int64_t, const T*, T*);                     \
  template void Sigmoid<T>(int64_t, const T*, T*);                 \
  template void SigmoidGrad<T>(int64_t, const T*, const T*, T*);   \
  template void Gelu<T>(int64_t, const T*, T*);                    \
  template void GeluGrad<T>(int64_t, const T*, const T*, T*);      \
  template void GeluTanh<T>(int64_t, const T*, T*);                \
  template void GeluTanhGrad<T>(int64_t, const T*, const T*, T*);  \
  template void SoftCap<T>(int64_t, ComputeType<T>, const T*, T*); \
  template void SwiGlu<T>(int64_t, const T*, const T*, T*);        \
  template void SwiGluGrad<T>(int64_t, const T*, const T*, const T*, T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
TWOFOUR_INSTANTIATE(BFloat16)
#undef TWOFOUR_INSTANTIATE
template void SoftCapGrad<float>(int64_t, float, const float*, const float*, float*);
template void SoftCapGrad<double>(int64_t, double, const double*, const double*, double*);

}  // namespace twofour::kernels
