#include "twofour/core/kernels/softmax.h"

#include <algorithm>
#include <cmath>

#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

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
  ForEachRow(rows, cols, [=](int64_t at) {
    const T *in = x + at, highest = *std::max_element(in, in + cols);
    T* out = y + at;
    double sum = 0;
    for (int64_t c = 0; c < cols; ++c) {
      out[c] = std::exp(in[c] - highest);
      sum += static_cast<double>(out[c]);
    }
    const T scale = static_cast<T>(1.0 / sum);
    for (int64_t c = 0; c < cols; ++c) out[c] *= scale;
  });
}

template <typename T>
void SoftmaxGrad(int64_t rows, int64_t cols, const T* y, const T* dy, T* dx) {
  ForEachRow(rows, cols, [=](int64_t at) {
    double dot = 0;
    for (int64_t c = at; c < at + cols; ++c) dot += static_cast<double>(y[c]) * static_cast<double>(dy[c]);
    for (int64_t c = at; c < at + cols; ++c) dx[c] = y[c] * (dy[c] - static_cast<T>(dot));
  });
}

template <typename T>
void LogSoftmax(int64_t rows, int64_t cols, const T* x, T* y) {
  ForEachRow(rows, cols, [=](int64_t at) {
    const T *in = x + at, highest = *std::max_element(in, in + cols);
    double sum = 0;
    for (int64_t c = 0; c < cols; ++c) sum += static_cast<double>(std::exp(in[c] - highest));
    const T log_sum = static_cast<T>(std::log(sum));
    for (int64_t c = 0; c < cols; ++c) y[at + c] = in[c] - highest - log_sum;
  });
}

template <typename T>
void LogSoftmaxGrad(int64_t rows, int64_t cols, const T* y, const T* dy, T* dx) {
  ForEachRow(rows, cols, [=](int64_t at) {
    double sum = 0;
    for (int64_t c = at; c < at + cols; ++c) sum += static_cast<double>(dy[c]);
    for (int64_t c = at; c < at + cols; ++c) dx[c] = dy[c] - std::exp(y[c]) * static_cast<T>(sum);
  });
}

#define TWOFOUR_INSTANTIATE(T)                                            \
  template void Softmax<T>(int64_t, int64_t, const T*, T*);               \
  template void SoftmaxGrad<T>(int64_t, int64_t, const T*, const T*, T*); \
  template void LogSoftmax<T>(int64_t, int64_t, const T*, T*);            \
  template void LogSoftmaxGrad<T>(int64_t, int64_t, const T*, const T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
#undef TWOFOUR_INSTANTIATE

}  // namespace twofour::kernels
