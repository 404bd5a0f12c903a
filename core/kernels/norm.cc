#include "twofour/core/kernels/norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

/// out[c] = sum over r of term(r, c); each column by one thread, rows in order.
template <typename T, typename F>
void SumOverRows(int64_t rows, int64_t cols, T* out, F term) {
  ParallelFor(cols, RowGrain(rows), [=](int64_t begin, int64_t end) {
    std::vector<double> sums(static_cast<size_t>(end - begin));
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = begin; c < end; ++c) sums[c - begin] += static_cast<double>(term(r, c));
    }
    for (int64_t c = begin; c < end; ++c) out[c] = static_cast<T>(sums[c - begin]);
  });
}

}  // namespace

template <typename T>
void RmsNorm(int64_t rows, int64_t cols, double eps, const T* x, const T* weight, T* y, T* inverse_rms) {
  ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* in = x + r * cols;
      T* out = y + r * cols;
      double squares = 0;
      for (int64_t c = 0; c < cols; ++c) squares += static_cast<double>(in[c]) * static_cast<double>(in[c]);
      const T scale = static_cast<T>(1.0 / std::sqrt(squares / static_cast<double>(cols) + eps));
      for (int64_t c = 0; c < cols; ++c) out[c] = in[c] * scale * (weight == nullptr ? T{1} : weight[c]);
      inverse_rms[r] = scale;
    }
  });
}

template <typename T>
void RmsNormGrad(int64_t rows, int64_t cols, const T* x, const T* weight, const T* inverse_rms, const T* dy, T* dx,
                 T* dweight) {
  if (dx != nullptr) {
    // With n = x * s and g = dy * weight: dx = s * (g - n * mean(g * n)).
    ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const T *in = x + r * cols, *grad = dy + r * cols;
        const T s = inverse_rms[r];
        const auto g = [&](int64_t c) { return weight == nullptr ? grad[c] : grad[c] * weight[c]; };
        double dot = 0;
        for (int64_t c = 0; c < cols; ++c) dot += static_cast<double>(g(c)) * static_cast<double>(in[c] * s);
        const T mean = static_cast<T>(dot / static_cast<double>(cols));
        for (int64_t c = 0; c < cols; ++c) dx[r * cols + c] = s * (g(c) - in[c] * s * mean);
      }
    });
  }
  if (dweight != nullptr) {
    SumOverRows(rows, cols, dweight,
                [=](int64_t r, int64_t c) { return dy[r * cols + c] * x[r * cols + c] * inverse_rms[r]; });
  }
}

template <typename T>
void LayerNorm(int64_t rows, int64_t cols, double eps, const T* x, const T* weight, const T* bias, T* y, T* mean,
               T* inverse_std) {
  ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* in = x + r * cols;
      double sum = 0;
      for (int64_t c = 0; c < cols; ++c) sum += static_cast<double>(in[c]);
      const double center = sum / static_cast<double>(cols);
      double squares = 0;
      for (int64_t c = 0; c < cols; ++c) {
        const double deviation = static_cast<double>(in[c]) - center;
        squares += deviation * deviation;
      }
      mean[r] = static_cast<T>(center);
      inverse_std[r] = static_cast<T>(1.0 / std::sqrt(squares / static_cast<double>(cols) + eps));
      for (int64_t c = 0; c < cols; ++c) {
        const T normal = (in[c] - mean[r]) * inverse_std[r];
        y[r * cols + c] = normal * (weight == nullptr ? T{1} : weight[c]) + (bias == nullptr ? T{0} : bias[c]);
      }
    }
  });
}

template <typename T>
void LayerNormGrad(int64_t rows, int64_t cols, const T* x, const T* weight, const T* mean, const T* inverse_std,
                   const T* dy, T* dx, T* dweight, T* dbias) {
  const auto normal = [=](int64_t r, int64_t c) { return (x[r * cols + c] - mean[r]) * inverse_std[r]; };
  if (dx != nullptr) {
    // With n the normalised x and g = dy * weight: dx = (g - mean(g) - n * mean(g * n)) / std.
    ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const auto g = [&](int64_t c) { return dy[r * cols + c] * (weight == nullptr ? T{1} : weight[c]); };
        double sum = 0, dot = 0;
        for (int64_t c = 0; c < cols; ++c) {
          sum += static_cast<double>(g(c));
          dot += static_cast<double>(g(c)) * static_cast<double>(normal(r, c));
        }
        const T mean_g = static_cast<T>(sum / static_cast<double>(cols));
        const T mean_gn = static_cast<T>(dot / static_cast<double>(cols));
        for (int64_t c = 0; c < cols; ++c) {
          dx[r * cols + c] = inverse_std[r] * (g(c) - mean_g - normal(r, c) * mean_gn);
        }
      }
    });
  }
  if (dweight != nullptr) {
    SumOverRows(rows, cols, dweight, [=](int64_t r, int64_t c) { return dy[r * cols + c] * normal(r, c); });
  }
  if (dbias != nullptr) SumOverRows(rows, cols, dbias, [=](int64_t r, int64_t c) { return dy[r * cols + c]; });
}

#define TWOFOUR_INSTANTIATE(T)                                                                    \
  template void RmsNorm<T>(int64_t, int64_t, double, const T*, const T*, T*, T*);                 \
  template void RmsNormGrad<T>(int64_t, int64_t, const T*, const T*, const T*, const T*, T*, T*); \
  template void LayerNorm<T>(int64_t, int64_t, double, const T*, const T*, const T*, T*, T*, T*); \
  template void LayerNormGrad<T>(int64_t, int64_t, const T*, const T*, const T*, const T*, const T*, T*, T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
#undef TWOFOUR_INSTANTIATE

}  // namespace twofour::kernels
