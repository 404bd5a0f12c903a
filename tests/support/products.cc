#include "tests/support/products.h"

#include <cmath>

namespace twofour::test {
namespace {

template <typename T>
InnerProduct Compute(const kernels::GemmProblem<T>& p, int64_t i, int64_t j, double before) {
  InnerProduct result{before, std::abs(before)};
  const bool a_turned = p.transpose_a == kernels::Transpose::kYes, b_turned = p.transpose_b == kernels::Transpose::kYes;
  for (int64_t l = 0; l < p.k; ++l) {
    const auto a = static_cast<double>(a_turned ? p.a[l * p.lda + i] : p.a[i * p.lda + l]);
    const auto b = static_cast<double>(b_turned ? p.b[j * p.ldb + l] : p.b[l * p.ldb + j]);
    result.sum += a * b;
    result.magnitude += std::abs(a * b);
  }
  return result;
}

}  // namespace

InnerProduct InnerProductOf(const kernels::GemmProblem<float>& problem, int64_t i, int64_t j, double before) {
  return Compute(problem, i, j, before);
}

InnerProduct InnerProductOf(const kernels::GemmProblem<double>& problem, int64_t i, int64_t j, double before) {
  return Compute(problem, i, j, before);
}

}  // namespace twofour::test
