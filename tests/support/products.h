#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>
#include <vector>

#include "twofour/core/convert_element.h"
#include "twofour/core/half.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

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
InnerProduct InnerProductOf(const kernels::GemmProblem<double>& problem, int64_t i, int64_t j, double before);

/// A number, and how far a result may be from it.
struct Estimate {
  double value = 0, error = 0;
};

/// What a kernel makes of the sum for element [i, j] before it rounds it.
using Finish = std::function<Estimate(int64_t i, int64_t j, const Estimate& sum)>;
/// max(x, 0)^2.
Estimate ReluSquaredOf(const Estimate& x);

/// Fails the test unless `actual`, f32 or bf16 [m, n], is near the product, plus its bias, after finish(i, j, sum) if
/// that is not empty. What is allowed is the error of adding up floats, which grows with the sum of |a b|, and that of
/// rounding the result once to the dtype of `actual`.
void ExpectNearProduct(const Tensor& actual, const kernels::GemmProblem<double>& problem, const Finish& finish = {});

/// A product whose matrices have `pad` elements between their rows. The padding of C must stay as it is. That of A and
/// B is NaN, so that it cannot be used unnoticed. Where one operand is bf16, numbers of a float operand are rounded to
/// bf16 in all that products are compared with.
template <typename A, typename B = A, typename C = A>
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
    a_ = Random<A>((a_turned ? size.k : size.m) * problem_.lda, 1);
    b_ = Random<B>((b_turned ? size.n : size.k) * problem_.ldb, 2);
    c_ = Random<C>(size.m * problem_.ldc, 3);
    PoisonPadding(problem_.lda, a_);
    PoisonPadding(problem_.ldb, b_);
    if (!accumulate) {  // The old contents must not be read.
      for (C& c : c_) c = ConvertElement<C>(std::numeric_limits<double>::quiet_NaN());
    }
    before_ = c_;
    problem_.a = a_.data();
    problem_.b = b_.data();
    problem_.c = c_.data();
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  const kernels::GemmProblem<A, B, C>& problem() const { return problem_; }

  /// From now on the product has a bias of random numbers.
  void GiveBias() {
    bias_ = Random<Bias>(problem_.n, 4);
    problem_.bias = bias_.data();
  }

  /// Computes C with multiply(problem).
  template <typename Multiply>
  const std::vector<C>& Compute(const Multiply& multiply) {
    c_ = before_;
    multiply(problem_);
    return c_;
  }

  /// The same product of other element types: of the same numbers, where those hold them. Computes it with
  /// multiply(problem) and returns its C.
  template <typename T, typename Multiply>
  std::vector<T> ComputeAs(const Multiply& multiply) const {
    const std::vector<T> a = Operand<T, kRoundsA>(a_), b = Operand<T, kRoundsB>(b_), bias = As<T>(bias_);
    std::vector<T> c = As<T>(before_);
    kernels::GemmProblem<T> problem = ProblemOf(a, b, c.data());
    if (problem_.bias != nullptr) problem.bias = bias.data();
    multiply(problem);
    return c;
  }

  /// Compares with three loops in double. `rounding` is the rounding error of one operation, and `last_rounding` that
  /// of storing the sum. So what is allowed grows with the sum of |a b|.
  void ExpectRight(double rounding, double last_rounding = 0) const {
    const std::vector<double> a = Operand<double, kRoundsA>(a_), b = Operand<double, kRoundsB>(b_);
    const kernels::GemmProblem<double> p = ProblemOf<double>(a, b, nullptr);
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        const double before = p.accumulate ? ConvertElement<double>(before_[i * p.ldc + j]) : 0.0;
        const double bias = problem_.bias != nullptr ? static_cast<double>(bias_[j]) : 0.0;
        InnerProduct right = InnerProductOf(p, i, j, before);
        right.sum += bias;
        right.magnitude += std::abs(bias);
        const double actual = ConvertElement<double>(c_[i * p.ldc + j]), error = std::abs(actual - right.sum);
        const double allowed = rounding * static_cast<double>(p.k + 3) * right.magnitude;
        if (error <= allowed + last_rounding * (std::abs(right.sum) + allowed)) continue;
        FAIL() << actual << " at " << i << ", " << j << ", expected " << right.sum;
      }
    }
    ExpectPaddingUntouched();
  }

 private:
  using Bias = std::conditional_t<std::is_same_v<C, double>, double, float>;
  static constexpr bool kRoundsA = std::is_same_v<A, float> && std::is_same_v<B, BFloat16>;
  static constexpr bool kRoundsB = std::is_same_v<B, float> && std::is_same_v<A, BFloat16>;

  template <typename T>
  static std::vector<T> Random(int64_t count, uint32_t stream) {
    RandomSequence sequence({.seed = 11, .stream = stream});
    std::vector<T> values(static_cast<size_t>(count));
    for (T& value : values) value = ConvertElement<T>(sequence.Uniform(-1, 1));
    return values;
  }

  template <typename T>
  void PoisonPadding(int64_t ld, std::vector<T>& matrix) const {
    for (size_t i = 0; i < matrix.size(); ++i) {
      if (static_cast<int64_t>(i) % ld >= ld - pad_) {
        matrix[i] = ConvertElement<T>(std::numeric_limits<double>::quiet_NaN());
      }
    }
  }

  template <typename T, bool kRounded, typename From>
  static std::vector<T> Operand(const std::vector<From>& from) {
    if constexpr (kRounded) {
      return As<T>(As<BFloat16>(from));
    } else {
      return As<T>(from);
    }
  }

  template <typename T, typename From>
  static std::vector<T> As(const std::vector<From>& from) {
    std::vector<T> to(from.size());
    for (size_t i = 0; i < from.size(); ++i) to[i] = ConvertElement<T>(from[i]);
    return to;
  }

  template <typename T>
  kernels::GemmProblem<T> ProblemOf(const std::vector<T>& a, const std::vector<T>& b, T* c) const {
    return {.m = problem_.m,
            .n = problem_.n,
            .k = problem_.k,
            .a = a.data(),
            .lda = problem_.lda,
            .transpose_a = problem_.transpose_a,
            .b = b.data(),
            .ldb = problem_.ldb,
            .transpose_b = problem_.transpose_b,
            .c = c,
            .ldc = problem_.ldc,
            .accumulate = problem_.accumulate};
  }

  void ExpectPaddingUntouched() const {
    for (int64_t i = 0; i < problem_.m; ++i) {
      for (int64_t j = problem_.n; j < problem_.n + pad_; ++j) {
        const int64_t at = i * problem_.ldc + j;
        ASSERT_EQ(std::memcmp(&c_[at], &before_[at], sizeof(C)), 0) << "padding at " << i << ", " << j;
      }
    }
  }

  kernels::GemmProblem<A, B, C> problem_;
  int64_t pad_;
  std::vector<A> a_;
  std::vector<B> b_;
  std::vector<C> c_, before_;
  std::vector<Bias> bias_;
};

/// Calls test(product) for all transpositions, with and without accumulation and padding.
template <typename A, typename B = A, typename C = A, typename F>
void ForAllForms(const ProductSize& size, F test) {
  for (const kernels::Transpose ta : kTransposes) {
    for (const kernels::Transpose tb : kTransposes) {
      for (const bool accumulate : {false, true}) {
        for (const int64_t pad : {0, 5}) {
          SCOPED_TRACE(::testing::Message() << "[" << size.m << ", " << size.k << "] x [" << size.k << ", " << size.n
                                            << "]" << (ta == kernels::Transpose::kYes ? ", A transposed" : "")
                                            << (tb == kernels::Transpose::kYes ? ", B transposed" : "")
                                            << (accumulate ? ", accumulating" : "") << ", padding " << pad);
          Product<A, B, C> product(size, ta, tb, pad, accumulate);
          test(product);
        }
      }
    }
  }
}

}  // namespace twofour::test
