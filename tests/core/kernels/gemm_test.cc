#include "twofour/core/kernels/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::ScopedNumThreads;

constexpr Transpose kTransposes[] = {Transpose::kNo, Transpose::kYes};

struct Size {
  int64_t m, n, k;
};

/// A product whose matrices have `pad` elements between their rows, filled with numbers that no
/// right result holds.
template <typename T>
class Product {
 public:
  Product(const Size& size, Transpose ta, Transpose tb, int64_t pad, bool accumulate) : pad_(pad) {
    problem_.m = size.m;
    problem_.n = size.n;
    problem_.k = size.k;
    problem_.transpose_a = ta;
    problem_.transpose_b = tb;
    problem_.accumulate = accumulate;
    const bool a_turned = ta == Transpose::kYes, b_turned = tb == Transpose::kYes;
    problem_.lda = (a_turned ? size.m : size.k) + pad;
    problem_.ldb = (b_turned ? size.k : size.n) + pad;
    problem_.ldc = size.n + pad;
    a_ = Random((a_turned ? size.k : size.m) * problem_.lda, 1);
    b_ = Random((b_turned ? size.n : size.k) * problem_.ldb, 2);
    c_ = Random(size.m * problem_.ldc, 3);
    if (!accumulate) {  // What was there before must not be read.
      for (T& c : c_) c = std::numeric_limits<T>::quiet_NaN();
    }
    before_ = c_;
    problem_.a = a_.data();
    problem_.b = b_.data();
    problem_.c = c_.data();
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  const std::vector<T>& Compute() {
    c_ = before_;
    Gemm(problem_);
    return c_;
  }

  /// Compares with three loops in double; `rounding` is that of one operation.
  void ExpectRight(double rounding) const {
    const GemmProblem<T>& p = problem_;
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        double sum = p.accumulate ? static_cast<double>(before_[i * p.ldc + j]) : 0.0;
        double magnitude = std::abs(sum);
        for (int64_t l = 0; l < p.k; ++l) {
          const double a =
              static_cast<double>(p.transpose_a == Transpose::kNo ? p.a[i * p.lda + l] : p.a[l * p.lda + i]);
          const double b =
              static_cast<double>(p.transpose_b == Transpose::kNo ? p.b[l * p.ldb + j] : p.b[j * p.ldb + l]);
          sum += a * b;
          magnitude += std::abs(a * b);
        }
        ASSERT_NEAR(static_cast<double>(c_[i * p.ldc + j]), sum, rounding * static_cast<double>(p.k + 2) * magnitude)
            << "at " << i << ", " << j;
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

  GemmProblem<T> problem_;
  int64_t pad_;
  std::vector<T> a_, b_, c_, before_;
};

template <typename T>
class GemmTest : public ::testing::Test {
 protected:
  static constexpr double kRounding = std::numeric_limits<T>::epsilon();

  /// Calls test(product) for all transpositions, with and without accumulation and padding.
  template <typename F>
  static void ForAllForms(const Size& size, F test) {
    for (const Transpose ta : kTransposes) {
      for (const Transpose tb : kTransposes) {
        for (const bool accumulate : {false, true}) {
          for (const int64_t pad : {0, 5}) {
            SCOPED_TRACE(::testing::Message() << "[" << size.m << ", " << size.k << "] x [" << size.k << ", " << size.n
                                              << "]" << (ta == Transpose::kYes ? ", A transposed" : "")
                                              << (tb == Transpose::kYes ? ", B transposed" : "")
                                              << (accumulate ? ", accumulating" : "") << ", padding " << pad);
            Product<T> product(size, ta, tb, pad, accumulate);
            test(product);
          }
        }
      }
    }
  }
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(GemmTest, Types);

TYPED_TEST(GemmTest, MatchesThreeLoops) {
  for (const Size& size : std::vector<Size>{{1, 1, 1},
                                            {1, 7, 3},
                                            {7, 1, 3},
                                            {5, 3, 1},
                                            {2, 3, 4},
                                            {13, 17, 19},
                                            {31, 64, 33},
                                            {1, 100, 100},
                                            {100, 1, 100},
                                            {16, 16, 128}}) {
    this->ForAllForms(size, [&](Product<TypeParam>& product) {
      product.Compute();
      product.ExpectRight(this->kRounding);
    });
  }
}

TYPED_TEST(GemmTest, MatchesThreeLoopsAcrossBlocks) {
  // One more and one fewer than the blocks of C hold, and several blocks either way.
  for (const Size& size : std::vector<Size>{{257, 513, 3}, {255, 511, 5}, {256, 512, 2}, {530, 3, 7}, {3, 1030, 7}}) {
    this->ForAllForms(size, [&](Product<TypeParam>& product) {
      product.Compute();
      product.ExpectRight(this->kRounding);
    });
  }
}

TYPED_TEST(GemmTest, EmptySizes) {
  for (const Size& size : std::vector<Size>{{0, 0, 0}, {0, 3, 2}, {3, 0, 2}, {3, 2, 0}, {300, 600, 0}}) {
    this->ForAllForms(size, [&](Product<TypeParam>& product) {
      product.Compute();
      product.ExpectRight(0.0);
    });
  }
}

TYPED_TEST(GemmTest, EmptyOperandsMayBeNull) {
  // More than one block, so that offsets are added to the operands.
  std::vector<TypeParam> c(300 * 600, 1);
  for (const Transpose ta : kTransposes) {
    for (const Transpose tb : kTransposes) {
      std::fill(c.begin(), c.end(), TypeParam{1});
      Gemm<TypeParam>(ta, tb, 300, 600, 0, nullptr, nullptr, c.data());
      EXPECT_THAT(c, ::testing::Each(TypeParam{0}));
    }
  }
}

TYPED_TEST(GemmTest, ContiguousForm) {
  // op(A) = [[1, 2, 3], [4, 5, 6]], op(B) = [[1, -1], [0, 2], [3, 0]], each stored both ways.
  const std::vector<TypeParam> a = {1, 2, 3, 4, 5, 6}, a_turned = {1, 4, 2, 5, 3, 6};
  const std::vector<TypeParam> b = {1, -1, 0, 2, 3, 0}, b_turned = {1, 0, 3, -1, 2, 0};
  for (const Transpose ta : kTransposes) {
    for (const Transpose tb : kTransposes) {
      std::vector<TypeParam> c(4);
      Gemm(ta, tb, 2, 2, 3, (ta == Transpose::kNo ? a : a_turned).data(), (tb == Transpose::kNo ? b : b_turned).data(),
           c.data());
      EXPECT_THAT(c, ::testing::ElementsAre(10, 3, 22, 6));
    }
  }
}

TYPED_TEST(GemmTest, SameBitsForAnyNumberOfThreads) {
  for (const Size& size : std::vector<Size>{{300, 1100, 37}, {1, 1500, 100}, {700, 1, 400}, {300, 530, 65}}) {
    this->ForAllForms(size, [](Product<TypeParam>& product) {
      std::vector<TypeParam> expected;
      for (const int threads : {1, 2, 3}) {
        const ScopedNumThreads scoped(threads);
        const std::vector<TypeParam>& c = product.Compute();
        if (threads == 1) expected = c;
        ASSERT_EQ(std::memcmp(c.data(), expected.data(), c.size() * sizeof(TypeParam)), 0) << threads << " threads";
      }
    });
  }
}

TEST(GemmLibraryNameTest, NamesLibraryAndVersion) {
  EXPECT_THAT(GemmLibraryName(), ::testing::MatchesRegex("(oneDNN|Eigen) [0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace
}  // namespace twofour::kernels
