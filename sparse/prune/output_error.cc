#include "twofour/sparse/prune/output_error.h"

#include <algorithm>
#include <cmath>

#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/prune/require_layer.h"

namespace twofour::sparse {
namespace {

/// Rows of weights whose products are in memory at a time.
constexpr int64_t kRows = 256;

/// The sum over the rows r of `rows` [count, n] of r G r^T.
double SquaredNorm(const Tensor& rows, const Tensor& gram) {
  const int64_t n = gram.dim(0), count = rows.dim(0);
  double total = 0;
  for (int64_t first = 0; first < count; first += kRows) {
    const int64_t part = std::min(kRows, count - first);
    Tensor product = Tensor::Empty({part, n}, DType::kF64);
    const double* const a = rows.data<double>() + first * n;
    kernels::Gemm(kernels::Transpose::kNo, kernels::Transpose::kNo, part, n, n, a, gram.data<double>(),
                  product.mutable_data<double>());
    const double* const b = product.data<double>();
    for (int64_t i = 0; i < part * n; ++i) total += a[i] * b[i];
  }
  return std::max(total, 0.0);
}

}  // namespace

double OutputError(const Tensor& weight, const Tensor& pruned, const Tensor& gram) {
  RequireLayer("OutputError", "OutputError", weight, gram);
  ops::RequireLike("OutputError", "pruned", pruned, weight, weight.shape());
  const Tensor wide = weight.To(DType::kF64);
  Tensor difference = pruned.To(DType::kF64);
  const double* const from = wide.data<double>();
  double* const to = difference.mutable_data<double>();
  for (int64_t i = 0; i < wide.numel(); ++i) to[i] -= from[i];
  const double error = SquaredNorm(difference, gram), all = SquaredNorm(wide, gram);
  return error == 0 ? 0 : std::sqrt(error / all);
}

}  // namespace twofour::sparse
