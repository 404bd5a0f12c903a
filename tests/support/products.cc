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

Estimate ReluSquaredOf(const Estimate& x) {
  const double value = x.value > 0 ? x.value * x.value : 0.0;
  return {value, 2 * std::abs(x.value) * x.error + x.error * x.error + 0x1p-24 * value};
}

void ExpectNearProduct(const Tensor& actual, const kernels::GemmProblem<double>& p, const Finish& finish) {
  ASSERT_EQ(actual.shape(), (Shape{p.m, p.n}));
  const double last_rounding = actual.dtype() == DType::kBF16 ? 0x1p-8 : 0x1p-24;
  const Tensor values = actual.To(DType::kF64);
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      const InnerProduct sum = InnerProductOf(p, i, j, p.bias == nullptr ? 0.0 : p.bias[j]);
      Estimate expected{sum.sum, 0x1p-24 * static_cast<double>(p.k + 3) * sum.magnitude};
      if (finish) expected = finish(i, j, expected);
      expected.error += last_rounding * (std::abs(expected.value) + expected.error);
      const double value = values.data<double>()[i * p.n + j];
      ASSERT_LE(std::abs(value - expected.value), expected.error)
          << value << " at " << i << ", " << j << ", expected " << expected.value;
    }
  }
}

}  // namespace twofour::test
