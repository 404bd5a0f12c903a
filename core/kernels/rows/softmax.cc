#include "twofour/core/kernels/rows/softmax.h"

#include <algorithm>
#include <cmath>

#include "twofour/core/kernels/elements/activation.h"
#include "twofour/core/kernels/rows/softmax_loops.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace loops {

// The overloads for double, as plain loops. They are static and not in an unnamed namespace, because they overload the
// f32 loops.

static void Softmax(int64_t n, const double* x, double* y) {
  const double highest = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += y[i] = std::exp(x[i] - highest);
  for (int64_t i = 0; i < n; ++i) y[i] /= sum;
}

static void SoftmaxGrad(int64_t n, const double* y, const double* dy, double* dx) {
  double dot = 0;
  for (int64_t i = 0; i < n; ++i) dot += y[i] * dy[i];
  for (int64_t i = 0; i < n; ++i) dx[i] = y[i] * (dy[i] - dot);
}

static ExpSum<double> SumExp(int64_t n, const double* x) {
  const double highest = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - highest);
  return {highest, sum};
}

static void LogSoftmax(int64_t n, const double* x, double* y) {
  const auto [highest, sum] = SumExp(n, x);
  const double log_sum = std::log(sum);
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] - highest - log_sum;
}

static void LogSoftmaxGrad(int64_t n, const double* y, const double* dy, double* dx) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += dy[i];
  for (int64_t i = 0; i < n; ++i) dx[i] = dy[i] - std::exp(y[i]) * sum;
}

static void ScaledExp(int64_t n, double shift, double factor, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = std::exp(x[i] - shift) * factor;
}

static void ScaledExpOfCapped(int64_t n, double shift, double factor, double cap, const double* x, double* out) {
  for (int64_t i = 0; i < n; ++i) {
    const double tanh = x[i] / cap;
    out[i] = std::exp(x[i] - shift) * factor * (1.0 - tanh * tanh);
  }
}

}  // namespace loops

namespace {

/// Calls function(at) for each row, on all threads. `at` is the number of the row's first element.
template <typename F>
void ForEachRow(int64_t rows, int64_t cols, F function) {
  if (cols == 0) return;
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) function(r * cols);
  });
}

}  // namespace

template <typename T>
void Softmax(int64_t rows, int64_t cols, const T* x, T* y) {
  ForEachRow(rows, cols, [=](int64_t at) { loops::Softmax(cols, x + at, y + at); });
}

template <typename T>
void SoftmaxGrad(int64_t rows, int64_t cols, const T* y, const T* dy, T* dx) {
  ForEachRow(rows, cols, [=](int64_t at) { loops::SoftmaxGrad(cols, y + at, dy + at, dx + at); });
}

template <typename T>
void LogSoftmax(int64_t rows, int64_t cols, const T* x, T* y) {
  ForEachRow(rows, cols, [=](int64_t at) { loops::LogSoftmax(cols, x + at, y + at); });
}

template <typename T>
void LogSoftmaxGrad(int64_t rows, int64_t cols, const T* y, const T* dy, T* dx) {
  ForEachRow(rows, cols, [=](int64_t at) { loops::LogSoftmaxGrad(cols, y + at, dy + at, dx + at); });
}

template <typename T>
void CrossEntropyGrad(int64_t rows, int64_t cols, const T* log_probs, const int32_t* target, int32_t ignore_index,
                      T factor, T* dx) {
  ForEachRow(rows, cols, [=](int64_t at) {
    const int32_t label = target[at / cols];
    if (label == ignore_index) {  // No product with 0: padding may hold a NaN.
      std::fill_n(dx + at, cols, T{0});
      return;
    }
    loops::ScaledExp(cols, T{0}, factor, log_probs + at, dx + at);
    dx[at + label] -= factor;
  });
}

namespace {

/// Does for the row at `x`, whose target is `label`, what ComputeCappedCrossEntropy does for all rows. Returns its
/// loss. `gradient` is its row of the gradient, or null.
template <typename T, typename G>
double CappedCrossEntropyOfRow(const CappedCrossEntropy<T, G>& p, int32_t label, T* x, G* gradient) {
  if (p.soft_cap > 0) SoftCap(p.cols, p.soft_cap, x, x);
  const auto [highest, sum] = loops::SumExp(p.cols, x);
  const T chosen = x[label];
  const double loss = std::log(sum) + (static_cast<double>(highest) - static_cast<double>(chosen));
  if (gradient == nullptr) return loss;
  const T scale = static_cast<T>(static_cast<double>(p.factor) / sum);
  T of_chosen;  // Computed by itself, because it must not be rounded to G before the difference is taken.
  if (p.soft_cap > 0) {
    const T tanh = chosen / p.soft_cap;
    loops::ScaledExpOfCapped(1, highest, scale, p.soft_cap, &chosen, &of_chosen);
    of_chosen -= p.factor * (T{1} - tanh * tanh);
    loops::ScaledExpOfCapped(p.cols, highest, scale, p.soft_cap, x, gradient);
  } else {
    loops::ScaledExp(1, highest, scale, &chosen, &of_chosen);
    of_chosen -= p.factor;
    loops::ScaledExp(p.cols, highest, scale, x, gradient);
  }
  gradient[label] = static_cast<G>(of_chosen);
  return loss;
}

}  // namespace

template <typename T, typename G>
void ComputeCappedCrossEntropy(const CappedCrossEntropy<T, G>& p) {
  ForEachRow(p.rows, p.cols, [&p](int64_t at) {
    const int64_t row = at / p.cols;
    G* const gradient = p.gradient == nullptr ? nullptr : p.gradient + at;
    if (p.target[row] == p.ignore_index) {  // No product with 0: padding may hold a NaN.
      p.losses[row] = 0;
      if (gradient != nullptr) std::fill_n(gradient, p.cols, static_cast<G>(0.0f));
      return;
    }
    p.losses[row] = CappedCrossEntropyOfRow(p, p.target[row], p.logits + at, gradient);
  });
}

#define TWOFOUR_INSTANTIATE(T)                                                                   \
  template void Softmax<T>(int64_t, int64_t, const T*, T*);                                      \
  template void SoftmaxGrad<T>(int64_t, int64_t, const T*, const T*, T*);                        \
  template void LogSoftmax<T>(int64_t, int64_t, const T*, T*);                                   \
  template void LogSoftmaxGrad<T>(int64_t, int64_t, const T*, const T*, T*);                     \
  template void CrossEntropyGrad<T>(int64_t, int64_t, const T*, const int32_t*, int32_t, T, T*); \
  template void ComputeCappedCrossEntropy(const CappedCrossEntropy<T>&);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
#undef TWOFOUR_INSTANTIATE
template void ComputeCappedCrossEntropy(const CappedCrossEntropy<float, BFloat16>&);

}  // namespace twofour::kernels
