#include "twofour/core/cholesky.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/gemm.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::F64;
using test::RandomF64;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

Tensor Product(const Tensor& a, const Tensor& b, bool transpose_a = false) {
  const int64_t n = a.dim(0);
  Tensor c = Tensor::Zeros({n, n}, DType::kF64);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < n; ++k) {
      const double x = a.data<double>()[transpose_a ? k * n + i : i * n + k];
      for (int64_t j = 0; j < n; ++j) c.mutable_data<double>()[i * n + j] += x * b.data<double>()[k * n + j];
    }
  }
  return c;
}

/// X^T X of a random X, and a little on the diagonal.
Tensor Positive(int64_t n) {
  const Tensor x = RandomF64({n, n}, {.seed = static_cast<uint64_t>(n)});
  Tensor a = Product(x, x, true);
  for (int64_t i = 0; i < n; ++i) a.mutable_data<double>()[i * n + i] += 0.1;
  return a;
}

void ExpectIdentity(const Tensor& m, double tolerance) {
  const int64_t n = m.dim(0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      ASSERT_NEAR(m.data<double>()[i * n + j], i == j ? 1 : 0, tolerance) << i << ", " << j;
    }
  }
}

TEST(CholeskyOfInverseTest, ItsSquareIsTheInverse) {
  for (const int64_t n : {1, 2, 3, 47, 48, 49, 96, 97, 130, 300}) {
    SCOPED_TRACE(n);
    const Tensor a = Positive(n);
    const std::optional<Tensor> u = CholeskyOfInverse(a);
    ASSERT_TRUE(u.has_value());
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_GT(u->data<double>()[i * n + i], 0);
      for (int64_t j = 0; j < i; ++j) ASSERT_EQ(u->data<double>()[i * n + j], 0.0) << i << ", " << j;
    }
    ExpectIdentity(Product(a, Product(*u, *u, true)), 1e-8);
  }
}

TEST(CholeskyOfInverseTest, ReadsTheUpperHalfAlone) {
  Tensor a = Positive(100);
  const std::optional<Tensor> expected = CholeskyOfInverse(a);
  for (int64_t i = 0; i < 100; ++i) {
    for (int64_t j = 0; j < i; ++j) a.mutable_data<double>()[i * 100 + j] = std::nan("");
  }
  ExpectBitEqual(*CholeskyOfInverse(a), *expected);
}

TEST(CholeskyOfInverseTest, RefusesWhatIsNotPositiveDefinite) {
  EXPECT_FALSE(CholeskyOfInverse(F64({1, 2, 2, 1}, {2, 2})));
  EXPECT_FALSE(CholeskyOfInverse(F64({0}, {1, 1})));
  EXPECT_FALSE(CholeskyOfInverse(F64({-1}, {1, 1})));
  EXPECT_FALSE(CholeskyOfInverse(F64({std::nan("")}, {1, 1})));
  EXPECT_FALSE(CholeskyOfInverse(F64({std::numeric_limits<double>::infinity()}, {1, 1})));
  for (const int64_t at : {0, 60, 99}) {
    Tensor a = Positive(100);
    a.mutable_data<double>()[at * 101] = -1;
    EXPECT_FALSE(CholeskyOfInverse(a)) << at;
    a.mutable_data<double>()[at * 101] = std::nan("");
    EXPECT_FALSE(CholeskyOfInverse(a)) << at;
  }
  EXPECT_TRUE(CholeskyOfInverse(Tensor::Empty({0, 0}, DType::kF64)));
  EXPECT_ERROR(CholeskyOfInverse(Tensor::Zeros({2, 3}, DType::kF64)), ErrorKind::kInvalidInput,
               HasSubstr("shape [2, 3], expected [n, n]"));
  EXPECT_ERROR(CholeskyOfInverse(Tensor::Zeros({2, 2})), ErrorKind::kInvalidInput, HasSubstr("f64"));
}

TEST(CholeskyOfInverseTest, GivesTheSameBitsOnAnyNumberOfThreads) {
  const Tensor a = Positive(300);
  std::optional<Tensor> expected;
  for (const int threads : {1, 2, 5}) {
    const ScopedNumThreads scope(threads);
    const std::optional<Tensor> u = CholeskyOfInverse(a);
    if (!expected) expected = u;
    ExpectBitEqual(*u, *expected);
  }
}

TEST(InverseOfPositiveTest, IsTheInverse) {
  for (const int64_t n : {1, 5, 150}) {
    const Tensor a = Positive(n);
    const std::optional<Tensor> inverse = InverseOfPositive(a);
    ASSERT_TRUE(inverse.has_value());
    ExpectIdentity(Product(a, *inverse), 1e-8);
    for (int64_t i = 0; i < n * n; ++i) {
      EXPECT_EQ(inverse->data<double>()[i], inverse->data<double>()[i % n * n + i / n]);
    }
  }
  EXPECT_FALSE(InverseOfPositive(F64({1, 2, 2, 1}, {2, 2})));
}

}  // namespace
}  // namespace twofour
