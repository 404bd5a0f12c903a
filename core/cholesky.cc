#include "twofour/core/cholesky.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/ops/check.h"

namespace twofour {
namespace {

using kernels::GemmProblem;
using kernels::Transpose;

/// Triangles of this size are factored entry by entry.
constexpr int64_t kSmall = 48;
/// Rows of a product that is symmetric, so that only blocks on and above its diagonal are multiplied.
constexpr int64_t kSymmetricRows = 128;

/// A part of a matrix that is stored row by row.
struct Block {
  double* data;
  int64_t stride;
  double* at(int64_t row, int64_t col) const { return data + row * stride + col; }
};

GemmProblem<double> Product(int64_t m, int64_t n, int64_t k, Block a, Block b, Transpose transpose_b, Block c) {
  GemmProblem<double> problem;
  problem.m = m;
  problem.n = n;
  problem.k = k;
  problem.a = a.data;
  problem.lda = a.stride;
  problem.b = b.data;
  problem.ldb = b.stride;
  problem.transpose_b = transpose_b;
  problem.c = c.data;
  problem.ldc = c.stride;
  return problem;
}

/// The same as FactorInverse for a small matrix: R from the last column on, and then its inverse column by column.
bool FactorSmall(Block w, int64_t n) {
  std::array<double, kSmall* kSmall> r = {};
  const auto at = [&](int64_t row, int64_t col) -> double& { return r[static_cast<size_t>(row * kSmall + col)]; };
  for (int64_t j = n - 1; j >= 0; --j) {
    for (int64_t i = j; i >= 0; --i) {
      double rest = *w.at(i, j);
      for (int64_t k = j + 1; k < n; ++k) rest -= at(i, k) * at(j, k);
      if (i == j && !(rest > 0 && std::isfinite(rest))) return false;
      at(i, j) = i == j ? std::sqrt(rest) : rest / at(j, j);
    }
  }
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = n - 1; i >= 0; --i) {
      double sum = i == j ? 1 : 0;
      for (int64_t k = i + 1; k <= j; ++k) sum -= at(i, k) * *w.at(k, j);
      *w.at(i, j) = i <= j ? sum / at(i, i) : 0;
    }
  }
  return true;
}

/// Of a symmetric A, given by its upper half, makes U with U^T U = A^-1 in its place, and zeros below. With A = R R^T
/// and R upper, U is the inverse of R:
///     R22 R22^T = A22,  R12 = A12 R22^-T = A12 U22^T,  R11 R11^T = A11 - R12 R12^T,  U12 = -U11 R12 U22.
/// So all but small matrices on the diagonal is products. Returns false if A is not positive definite.
bool FactorInverse(Block w, int64_t n) {
  if (n <= kSmall) return FactorSmall(w, n);
  const int64_t half = n / 2, rest = n - half;
  const Block w12{w.at(0, half), w.stride}, w22{w.at(half, half), w.stride};
  for (int64_t row = half; row < n; ++row) std::fill_n(w.at(row, 0), half, 0.0);
  if (!FactorInverse(w22, rest)) return false;
  AlignedBuffer<double> room(half * rest);
  const Block r12{room.data(), rest};
  Gemm(Product(half, rest, rest, w12, w22, Transpose::kYes, r12));
  AlignedBuffer<double> negative(half * rest);
  std::transform(room.data(), room.data() + half * rest, negative.data(), [](double value) { return -value; });
  for (int64_t row = 0; row < half; row += kSymmetricRows) {
    GemmProblem<double> product =
        Product(std::min(kSymmetricRows, half - row), half - row, rest, {negative.data() + row * rest, rest},
                {r12.at(row, 0), rest}, Transpose::kYes, {w.at(row, row), w.stride});
    product.accumulate = true;
    Gemm(product);
  }
  if (!FactorInverse(w, half)) return false;
  Gemm(Product(half, rest, rest, {negative.data(), rest}, w22, Transpose::kNo, r12));
  Gemm(Product(half, rest, half, w, r12, Transpose::kNo, w12));
  return true;
}

}  // namespace

std::optional<Tensor> CholeskyOfInverse(const Tensor& matrix) {
  ops::RequireDType("CholeskyOfInverse", "matrix", matrix, DType::kF64);
  if (matrix.rank() != 2 || matrix.dim(0) != matrix.dim(1)) {
    throw Error(fmt::format("CholeskyOfInverse: shape {}, expected [n, n]", ToString(matrix.shape())));
  }
  Tensor result = matrix.Clone();
  const int64_t n = matrix.dim(0);
  double* const data = result.mutable_data<double>();
  if (!FactorInverse({data, n}, n)) return std::nullopt;
  // Where entries are far apart, a product may have overflowed.
  if (!std::all_of(data, data + n * n, [](double value) { return std::isfinite(value); })) return std::nullopt;
  return result;
}

std::optional<Tensor> InverseOfPositive(const Tensor& matrix) {
  const std::optional<Tensor> u = CholeskyOfInverse(matrix);
  if (!u) return std::nullopt;
  const int64_t n = matrix.dim(0);
  Tensor inverse = Tensor::Empty({n, n}, DType::kF64);
  const double* const from = u->data<double>();
  double* const to = inverse.mutable_data<double>();
  kernels::Gemm(Transpose::kYes, Transpose::kNo, n, n, n, from, from, to);
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t col = 0; col < row; ++col) to[row * n + col] = to[col * n + row];
  }
  return inverse;
}

}  // namespace twofour
