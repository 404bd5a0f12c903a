#include "twofour/core/kernels/rows/norm.h"

#include <algorithm>
#include <cmath>

#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/kernels/elements/reduce_loops_f64.h"
#include "twofour/core/kernels/rows/column_sums.h"
#include "twofour/core/kernels/rows/norm_loops.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace loops {

// The overloads for double, as plain loops. They are static and not in an unnamed namespace, because they overload the
// f32 loops.

static double WeightAt(const double* weight, int64_t i) { return weight == nullptr ? 1.0 : weight[i]; }

static double DotOfNormGrad(int64_t n, double center, const double* x, const double* weight, const double* dy) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += dy[i] * WeightAt(weight, i) * (x[i] - center);
  return sum;
}

static void Normalize(int64_t n, double center, double scale, const double* x, const double* weight, const double* bias,
                      double* y) {
  for (int64_t i = 0; i < n; ++i) {
    y[i] = (x[i] - center) * scale * WeightAt(weight, i) + (bias == nullptr ? 0.0 : bias[i]);
  }
}

static void NormGrad(int64_t n, double center, double scale, double mean_g, double mean_gn, const double* x,
                     const double* weight, const double* dy, double* dx) {
  for (int64_t i = 0; i < n; ++i) {
    dx[i] = scale * (dy[i] * WeightAt(weight, i) - mean_g - (x[i] - center) * scale * mean_gn);
  }
}

static void NormalizedProduct(int64_t n, double center, double scale, const double* x, const double* dy, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = dy[i] * (x[i] - center) * scale;
}

static void RmsNorm(int64_t rows, int64_t cols, double eps, const double* x, const double* weight, double* y,
                    double* inverse_rms) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    inverse_rms[r] = 1.0 / std::sqrt(SumOfSquares(cols, x) / static_cast<double>(cols) + eps);
    Normalize(cols, 0.0, inverse_rms[r], x, weight, nullptr, y);
  }
}

static void RmsNormGrad(int64_t rows, int64_t cols, const double* x, const double* weight, const double* inverse_rms,
                        const double* dy, double* dx) {
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const double dot = DotOfNormGrad(cols, 0.0, x, weight, dy) * inverse_rms[r];
    NormGrad(cols, 0.0, inverse_rms[r], 0.0, dot / static_cast<double>(cols), x, weight, dy, dx);
  }
}

}  // namespace loops

namespace {

/// Calls function(r) for each row, on all threads.
template <typename F>
void ForEachRow(int64_t rows, int64_t cols, F function) {
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) function(r);
  });
}

/// The sum over rows of dy times the normalised x. A null `center` stands for zeros.
template <typename T, typename W>
void WeightGrad(int64_t rows, int64_t cols, const T* x, const W* center, const W* scale, const T* dy, W* dweight) {
  SumColumnTiles(rows, cols, dweight,
                 [=](int64_t row, int64_t tile_rows, int64_t col, int64_t tile_cols, double* sums) {
                   constexpr int64_t kGroup = 4;  // Rows that AddRowsTo sums at once.
                   W products[kGroup * kColumnSumCols];
                   for (int64_t begin = 0; begin < tile_rows; begin += kGroup) {
                     const int64_t group = std::min(kGroup, tile_rows - begin);
                     for (int64_t i = 0; i < group; ++i) {
                       const int64_t r = row + begin + i, at = r * cols + col;
                       loops::NormalizedProduct(tile_cols, center == nullptr ? W{0} : center[r], scale[r], x + at,
                                                dy + at, products + i * tile_cols);
                     }
                     loops::AddRowsTo(group, tile_cols, tile_cols, products, sums);
                   }
                 });
}

}  // namespace

template <typename T, typename W>
void RmsNorm(int64_t rows, int64_t cols, double eps, const T* x, const W* weight, T* y, W* inverse_rms) {
  ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
    const int64_t at = begin * cols;
    loops::RmsNorm(end - begin, cols, eps, x + at, weight, y + at, inverse_rms + begin);
  });
}

template <typename T, typename W>
void RmsNormGrad(int64_t rows, int64_t cols, const T* x, const W* weight, const W* inverse_rms, const T* dy, T* dx,
                 W* dweight) {
  if (dx != nullptr) {
    ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
      const int64_t at = begin * cols;
      loops::RmsNormGrad(end - begin, cols, x + at, weight, inverse_rms + begin, dy + at, dx + at);
    });
  }
  if (dweight != nullptr) WeightGrad<T, W>(rows, cols, x, nullptr, inverse_rms, dy, dweight);
}

template <typename T, typename W>
void LayerNorm(int64_t rows, int64_t cols, double eps, const T* x, const W* weight, const W* bias, T* y, W* mean,
               W* inverse_std) {
  ForEachRow(rows, cols, [=](int64_t r) {
    const T* in = x + r * cols;
    const double center = loops::Sum(cols, in) / static_cast<double>(cols);
    const double variance = loops::SumOfSquaredDeviations(cols, center, in) / static_cast<double>(cols);
    mean[r] = static_cast<W>(center);
    inverse_std[r] = static_cast<W>(1.0 / std::sqrt(variance + eps));
    loops::Normalize(cols, mean[r], inverse_std[r], in, weight, bias, y + r * cols);
  });
}

template <typename T, typename W>
void LayerNormGrad(int64_t rows, int64_t cols, const T* x, const W* weight, const W* mean, const W* inverse_std,
                   const T* dy, T* dx, W* dweight, W* dbias) {
  if (dx != nullptr) {
    // With n the normalised x and g = dy * weight: dx = (g - mean(g) - n * mean(g * n)) / std.
    ForEachRow(rows, cols, [=](int64_t r) {
      const int64_t at = r * cols;
      const double sum = weight == nullptr ? loops::Sum(cols, dy + at) : loops::Dot(cols, dy + at, weight);
      const double dot = loops::DotOfNormGrad(cols, static_cast<double>(mean[r]), x + at, weight, dy + at) *
                         static_cast<double>(inverse_std[r]);
      loops::NormGrad(cols, mean[r], inverse_std[r], static_cast<W>(sum / static_cast<double>(cols)),
                      static_cast<W>(dot / static_cast<double>(cols)), x + at, weight, dy + at, dx + at);
    });
  }
  if (dweight != nullptr) WeightGrad(rows, cols, x, mean, inverse_std, dy, dweight);
  if (dbias != nullptr) ColumnSums(rows, cols, dy, dbias);
}

#define TWOFOUR_INSTANTIATE(T, W)                                                                 \
  template void RmsNorm<T>(int64_t, int64_t, double, const T*, const W*, T*, W*);                 \
  template void RmsNormGrad<T>(int64_t, int64_t, const T*, const W*, const W*, const T*, T*, W*); \
  template void LayerNorm<T>(int64_t, int64_t, double, const T*, const W*, const W*, T*, W*, W*); \
  template void LayerNormGrad<T>(int64_t, int64_t, const T*, const W*, const W*, const W*, const T*, T*, W*, W*);
TWOFOUR_INSTANTIATE(float, float)
TWOFOUR_INSTANTIATE(double, double)
TWOFOUR_INSTANTIATE(BFloat16, float)
#undef TWOFOUR_INSTANTIATE

}  // namespace twofour::kernels
