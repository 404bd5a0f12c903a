#include "twofour/sparse/prune/refit.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/prune/require_layer.h"

namespace twofour::sparse {
namespace {

/// a[i] b[i] of a row, added up in double.
double Dot(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

}  // namespace

Tensor RefitKept(const Tensor& weight, const Tensor& start, const Mask& mask, const Tensor& gram, int64_t steps,
                 std::string_view name) {
  RequireLayer("RefitKept", name, weight, gram);
  ops::RequireLike("RefitKept", "start", start, weight, weight.shape());
  if (mask.rows() != weight.dim(0) || mask.cols() != weight.dim(1)) {
    throw Error(fmt::format("{}: shape {} and a mask [{}, {}], expected equal shapes", name, ToString(weight.shape()),
                            mask.rows(), mask.cols()));
  }
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  const Tensor h = gram.To(DType::kF32);
  // What a residual is multiplied by: 1 / H_jj, or 0 for features that are always 0. Masks are applied below.
  std::vector<float> scale(static_cast<size_t>(cols));
  for (int64_t col = 0; col < cols; ++col) {
    const double diagonal = gram.data<double>()[col * cols + col];
    scale[static_cast<size_t>(col)] = diagonal > 0 ? static_cast<float>(1 / diagonal) : 0.0f;
  }
  const auto multiply = [&](const Tensor& x, Tensor& product) {
    kernels::Gemm(kernels::Transpose::kNo, kernels::Transpose::kNo, rows, cols, cols, x.data<float>(), h.data<float>(),
                  product.mutable_data<float>());
  };
  Tensor result = start.Clone(), residual = Tensor::Empty(weight.shape()), direction = Tensor::Zeros(weight.shape()),
         product = Tensor::Empty(weight.shape()), difference = Tensor::Empty(weight.shape());
  float *const x = result.mutable_data<float>(), *const r = residual.mutable_data<float>(),
               *const p = direction.mutable_data<float>(), *const d = difference.mutable_data<float>();
  const float* const w = weight.data<float>();
  for (int64_t i = 0; i < weight.numel(); ++i) d[i] = w[i] - x[i];
  multiply(difference, residual);
  const MaskView view = mask.view();
  const auto for_rows = [&](const auto& body) {
    ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) body(row, row * cols);
    });
  };
  std::vector<double> before(static_cast<size_t>(rows));
  /// The new direction of a row: its residual, scaled and masked, plus what makes it conjugate to the last one.
  const auto turn = [&](int64_t row, int64_t at) {
    double now = 0;
    for (int64_t col = 0; col < cols; ++col) {
      float& residue = r[at + col];
      if (!view.Keeps(row, col)) residue = 0;
      now += static_cast<double>(residue) * static_cast<double>(residue * scale[static_cast<size_t>(col)]);
    }
    double& last = before[static_cast<size_t>(row)];
    const auto beta = static_cast<float>(last > 0 ? now / last : 0);
    for (int64_t col = 0; col < cols; ++col) {
      p[at + col] = r[at + col] * scale[static_cast<size_t>(col)] + beta * p[at + col];
    }
    last = now;
  };
  for (int64_t step = 0; step < steps; ++step) {
    for_rows(turn);
    multiply(direction, product);
    const float* const hp = product.data<float>();
    for_rows([&](int64_t row, int64_t at) {
      const double curvature = Dot(p + at, hp + at, cols);
      if (!(curvature > 0)) return;
      const auto alpha = static_cast<float>(before[static_cast<size_t>(row)] / curvature);
      for (int64_t col = 0; col < cols; ++col) {
        x[at + col] += alpha * p[at + col];
        r[at + col] -= alpha * hp[at + col];
      }
    });
  }
  return result;
}

}  // namespace twofour::sparse
