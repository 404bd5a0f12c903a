#include "tests/support/products.h"

#include <cmath>

namespace twofour::test {

InnerProduct InnerProductOf(const kernels::GemmProblem<double>& p, int64_t i, int64_t j, double before) {
  InnerProduct result{before, std::abs(before)};
  const bool a_turned = p.transpose_a == kernels::Transpose::kYes, b_turned = p.transpose_b == kernels::Transpose::kYes;
  for (int64_t l = 0; l < p.k; ++l) {
    const double a = a_turned ? p.a[l * p.lda + i] : p.a[i * p.lda + l];
    const double b = b_turned ? p.b[j * p.ldb + l] : p.b[l * p.ldb + j];
    result.sum += a * b;
    result.magnitude += std::abs(a * b);
  }
  return result;
}

}  // namespace twofour::test
