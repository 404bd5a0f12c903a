#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/random.h"

namespace twofour::test {

inline constexpr kernels::Transpose kTransposes[] = {kernels::Transpose::kNo, kernels::Transpose::kYes};

struct ProductSize {
  int64_t m, n, k;
};

/// One element of a product, computed by a loop in double.
struct InnerProduct {
  double sum = 0;
  double magnitude = 0;  ///< The sum of |a b|, plus the magnitude of what they are added to.
};

/// Element [i, j] of the product, added to `before`.
InnerProduct InnerProductOf(const kernels::GemmProblem<float>& problem, int64_t i, int64_t j, double before);
InnerProduct InnerProductOf(const kernels::GemmProblem<double>& problem, int64_t i, int64_t j, double before);

/// A product whose matrices have `pad` elements between their rows. The padding of C must stay as it is.
template <typename T>
class Product {
 public:
  Product(const ProductSize& size, kernels::Transpose ta, kernels::Transpose tb, int64_t pad, bool accumulate)
      : pad_(pad) {
    problem_.m = size.m;
    problem_.n = size.n;
    problem_.k = size.k;
    problem_.transpose_a = ta;
    problem_.transpose_b = tb;
    problem_.accumulate = accumulate;
    const bool a_turned = ta == kernels::Transpose::kYes, b_turned = tb == kernels::Transpose::kYes;
    problem_.lda = (a_turned ? size.m : size.k) + pad;
    problem_.ldb = (b_turned ? size.k : size.n) + pad;
    problem_.ldc = size.n + pad;
    a_ = Random((a_turned ? size.k : size.m) * problem_.lda, 1);
    b_ = Random((b_turned ? size.n : size.k) * problem_.ldb, 2);
    c_ = Random(size.m * problem_.ldc, 3);
    if (!accumulate) {  // The old contents must not be read.
      for (T& c : c_) c = std::numeric_limits<T>::quiet_NaN();
    }
    before_ = c_;
    problem_.a = a_.data();
    problem_.b = b_.data();
    problem_.c = c_.data();
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  /// Computes C with `multiply`.
  const std::vector<T>& Compute(void (*multiply)(const kernels::GemmProblem<T>&)) {
    c_ = before_;
    multiply(problem_);
    return c_;
  }

  /// Compares with three loops in double. `rounding` is the rounding error of one operation.
  void ExpectRight(double rounding) const {
    const kernels::GemmProblem<T>& p = problem_;
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        const double before = p.accumulate ? static_cast<double>(before_[i * p.ldc + j]) : 0.0;
        const InnerProduct right = InnerProductOf(p, i, j, before);
        const double error = std::abs(static_cast<double>(c_[i * p.ldc + j]) - right.sum);
        if (error <= rounding * static_cast<double>(p.k + 2) * right.magnitude) continue;
        FAIL() << c_[i * p.ldc + j] << " at " << i << ", " << j << ", expected " << right.sum;
      }
    }
    ExpectPaddingUntouched();
  }

 private:
  static std::vector<T> Random(int64_t count, uint32_t stream) {
    RandomSequence sequence({.seed = 11, .stream = stream});
    std::vector<T> values(static_cast<size_t>(count));
    for (T& value : values) value = static_cast<T>(sequence.Uniform(-1, 1));
    return values;
  }

  void ExpectPaddingUntouched() const {
    for (int64_t i = 0; i < problem_.m; ++i) {
      for (int64_t j = problem_.n; j < problem_.n + pad_; ++j) {
        const int64_t at = i * problem_.ldc + j;
        ASSERT_EQ(std::memcmp(&c_[at], &before_[at], sizeof(T)), 0) << "padding at " << i << ", " << j;
      }
    }
  }

  kernels::GemmProblem<T> problem_;
  int64_t pad_;
  std::vector<T> a_, b_, c_, before_;
};

/// Calls test(product) for all transpositions, with and without accumulation and padding.
template <typename T, typename F>
void ForAllForms(const ProductSize& size, F test) {
  for (const kernels::Transpose ta : kTransposes) {
    for (const kernels::Transpose tb : kTransposes) {
      for (const bool accumulate : {false, true}) {
        for (const int64_t pad : {0, 5}) {
          SCOPED_TRACE(::testing::Message() << "[" << size.m << ", " << size.k << "] x [" << size.k << ", " << size.n
                                            << "]" << (ta == kernels::Transpose::kYes ? ", A transposed" : "")
                                            << (tb == kernels::Transpose::kYes ? ", B transposed" : "")
                                            << (accumulate ? ", accumulating" : "") << ", padding " << pad);
          Product<T> product(size, ta, tb, pad, accumulate);
          test(product);
        }
      }
    }
  }
}

}  // namespace twofour::test
