#include "twofour/optim/newton_schulz.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/kernels/elements/scale_by.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/kernels/gemm/symmetric_product.h"
#include "twofour/core/ops/check.h"

namespace twofour::optim {
namespace {

using kernels::Gemm;
using kernels::Transpose;

// Chosen by Jordan to grow small singular values fastest, not to converge to 1.
constexpr float kLinear = 3.4445f, kCubic = -4.7750f, kQuintic = 2.0315f;
constexpr double kEps = 1e-7;

/// out = factor X, or X factor if X has more rows than columns.
void MultiplyShortSide(int64_t rows, int64_t cols, const float* factor, const float* x, float* out) {
  if (rows > cols) return Gemm(Transpose::kNo, Transpose::kNo, rows, cols, cols, x, factor, out);
  Gemm(Transpose::kNo, Transpose::kNo, rows, cols, rows, factor, x, out);
}

}  // namespace

Tensor Orthogonalize(const Tensor& matrix, int steps) {
  ops::RequireDType("Orthogonalize", "matrix", matrix, DType::kF32);
  if (matrix.rank() != 2 || steps < 0) {
    throw Error(fmt::format("Orthogonalize: {} in {} steps, expected f32 [rows, cols] and at least 0 steps",
                            Describe(matrix), steps));
  }
  const int64_t rows = matrix.dim(0), cols = matrix.dim(1), size = matrix.numel();
  const int64_t side = std::min(rows, cols);
  Tensor result = Tensor::Empty(matrix.shape()), next = Tensor::Empty(matrix.shape());
  Tensor gram_tensor = Tensor::Empty({side, side}), factor_tensor = Tensor::Empty({side, side});
  float* const gram = gram_tensor.mutable_data<float>();
  float* const factor = factor_tensor.mutable_data<float>();

  // The original transposes a tall X. Multiplying from the other side gives the same, and copies nothing.
  const Transpose gram_of = rows > cols ? Transpose::kYes : Transpose::kNo;
  const double norm = std::sqrt(kernels::SumOfSquares(size, matrix.data<float>()));
  kernels::ScaleBy(size, 1.0 / (norm + kEps), matrix.data<float>(), result.mutable_data<float>());
  for (int step = 0; step < steps; ++step) {
    const float* const x = result.data<float>();
    kernels::SymmetricProduct(gram_of, side, std::max(rows, cols), x, gram);
    kernels::SymmetricProduct(Transpose::kNo, side, side, gram, factor);
    kernels::Scale(side * side, kQuintic, factor, factor);
    kernels::Axpy(side * side, kCubic, gram, factor);
    for (int64_t i = 0; i < side; ++i) factor[i * side + i] += kLinear;
    MultiplyShortSide(rows, cols, factor, x, next.mutable_data<float>());
    std::swap(result, next);
  }
  return result;
}

}  // namespace twofour::optim
