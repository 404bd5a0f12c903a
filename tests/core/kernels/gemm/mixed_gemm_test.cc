// Products whose matrices have different element types.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>
#include <type_traits>
#include <vector>

#include "twofour/core/half.h"
#include "twofour/core/kernels/gemm/float_gemm.h"
#include "twofour/core/kernels/gemm/gemm.h"

#include "tests/support/narrow_float.h"
#include "tests/support/products.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using internal::kIsHalf;
using test::ForAllForms;
using test::kTransposes;
using test::Product;
using test::ScopedNumThreads;
using Size = test::ProductSize;

template <typename T>
constexpr const char* kName = std::is_same_v<T, float>      ? "float"
                              : std::is_same_v<T, BFloat16> ? "bf16"
                                                            : "f16";

/// The largest relative error of rounding a sum to type C.
template <typename C>
constexpr double kLastRounding = std::is_same_v<C, float>      ? 0
                                 : std::is_same_v<C, BFloat16> ? 0x1p-8
                                                               : 0x1p-11;

template <typename F>
void ForAllTypes(F f) {
  f(float{});
  f(BFloat16{});
  f(Float16{});
}

/// Calls test.operator()<A, B>() for all types of operands.
template <typename F>
void ForAllOperands(F test) {
  ForAllTypes([&](auto a) {
    ForAllTypes([&](auto b) {
      SCOPED_TRACE(::testing::Message() << kName<decltype(a)> << " times " << kName<decltype(b)>);
      test.template operator()<decltype(a), decltype(b)>();
    });
  });
}

template <typename F>
void ForAllKernels(F test) {
  for (const FloatGemmKernel& kernel : FloatGemmKernels()) {
    if (!IsAllowed(kernel.isa)) continue;
    SCOPED_TRACE(NameOf(kernel.isa));
    test(kernel);
  }
}

/// Whether a product may be computed by pairs of bf16, which adds in another order than products of floats do.
template <typename A, typename B>
constexpr bool kMayMultiplyPairs = (std::is_same_v<A, BFloat16> ||
                                    std::is_same_v<B, BFloat16>)&&!(std::is_same_v<A, Float16> ||
                                                                    std::is_same_v<B, Float16>);

/// What FloatGemmKernel takes beside a matrix of type `Other`.
template <typename T, typename Other>
using Taken = std::conditional_t<std::is_same_v<T, float> && std::is_same_v<Other, BFloat16>, FloatAsBf16, T>;

template <typename A, typename B>
void MultiplyBy(const FloatGemmKernel& kernel, const GemmProblem<A, B, float>& p) {
  kernel.Multiply(GemmProblem<Taken<A, B>, Taken<B, A>, float>{.m = p.m,
                                                               .n = p.n,
                                                               .k = p.k,
                                                               .a = reinterpret_cast<const Taken<A, B>*>(p.a),
                                                               .lda = p.lda,
                                                               .transpose_a = p.transpose_a,
                                                               .b = reinterpret_cast<const Taken<B, A>*>(p.b),
                                                               .ldb = p.ldb,
                                                               .transpose_b = p.transpose_b,
                                                               .c = p.c,
                                                               .ldc = p.ldc,
                                                               .accumulate = p.accumulate});
}

template <typename T>
void ExpectSameBits(const std::vector<T>& actual, const std::vector<T>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  ASSERT_EQ(std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(T)), 0);
}

/// Sizes for all paths through the kernels: one row, few rows, one block of rows and several blocks. Columns never fill
/// whole panels.
const std::vector<Size>& RaggedSizes() {
  static const std::vector<Size> sizes = {{1, 1, 1},   {1, 70, 9},   {1, 45, 65},   {5, 9, 77},   {24, 35, 130},
                                          {24, 33, 5}, {25, 37, 70}, {31, 70, 257}, {257, 33, 9}, {40, 37, 270}};
  return sizes;
}

TEST(MixedFloatGemmTest, MatchesThreeLoops) {
  ForAllKernels([](const FloatGemmKernel& kernel) {
    ForAllOperands([&]<typename A, typename B>() {
      for (const Size& size : RaggedSizes()) {
        ForAllForms<A, B, float>(size, [&](Product<A, B, float>& product) {
          product.Compute([&](const auto& problem) { MultiplyBy(kernel, problem); });
          product.ExpectRight(std::numeric_limits<float>::epsilon());
        });
      }
    });
  });
}

TEST(MixedFloatGemmTest, HasTheBitsOfAProductOfFloats) {
  const auto test = [](const FloatGemmKernel& kernel) {
    const auto multiply = [&](const auto& problem) { MultiplyBy(kernel, problem); };
    ForAllOperands([&]<typename A, typename B>() {
      for (const Size& size : RaggedSizes()) {
        ForAllForms<A, B, float>(size, [&](Product<A, B, float>& product) {
          const std::vector<float> expected = product.template ComputeAs<float>(multiply);
          for (const int threads : {1, 3}) {
            const ScopedNumThreads scoped(threads);
            ExpectSameBits(product.Compute(multiply), expected);
          }
        });
      }
    });
  };
  ForAllKernels(test);
}

/// All bit patterns of a 16-bit type. With `finite_only`, infinities and NaNs are replaced by zeros.
template <typename T>
std::vector<T> Patterns(bool finite_only) {
  std::vector<T> patterns;
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const T value = T::FromBits(static_cast<uint16_t>(bits));
    patterns.push_back(finite_only && !std::isfinite(static_cast<float>(value)) ? T(0.0f) : value);
  }
  return patterns;
}

template <typename T>
void ExpectEqualsOfPatterns(const std::vector<float>& actual, const std::vector<T>& patterns) {
  ASSERT_EQ(actual.size(), patterns.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const double expected = test::FormatOf<T>().Magnitude(patterns[i].bits() & 0x7fffU);
    const double signed_expected = patterns[i].bits() >= 0x8000 ? -expected : expected;
    const bool infinite = (patterns[i].bits() & 0x7fffU) == test::FormatOf<T>().infinity();
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(actual[i])) << i;
    } else if (infinite) {
      ASSERT_EQ(actual[i], std::copysign(std::numeric_limits<float>::infinity(), signed_expected)) << i;
    } else {
      ASSERT_EQ(static_cast<double>(actual[i]), signed_expected) << i;
    }
  }
}

TEST(MixedFloatGemmTest, EveryPatternIsWidenedRight) {
  ForAllKernels([](const FloatGemmKernel& kernel) {
    const auto test = [&](auto zero) {
      using T = decltype(zero);
      SCOPED_TRACE(kName<T>);
      const std::vector<float> ones(70, 1.0f);
      // The patterns are a row of B. With one row of A the kernel reads B in place, with several rows it packs B.
      const std::vector<T> all = Patterns<T>(false);
      for (const int64_t rows : {1, 30}) {
        std::vector<float> c(static_cast<size_t>(rows) << 16);
        MultiplyBy(kernel, GemmProblem<float, T, float>{.m = rows,
                                                        .n = 1 << 16,
                                                        .k = 1,
                                                        .a = ones.data(),
                                                        .lda = 1,
                                                        .b = all.data(),
                                                        .ldb = 1 << 16,
                                                        .c = c.data(),
                                                        .ldc = 1 << 16});
        c.erase(c.begin(), c.end() - (1 << 16));
        ExpectEqualsOfPatterns(c, all);
      }
      // The patterns are a square matrix, multiplied by the identity on either side. An infinity would turn its whole
      // row into NaN, because infinity times 0 is NaN.
      const std::vector<T> finite = Patterns<T>(true);
      std::vector<float> identity(1 << 16), expected(1 << 16), c(1 << 16);
      for (size_t i = 0; i < 256; ++i) identity[i * 257] = 1;
      std::vector<T> turned(1 << 16);
      for (size_t i = 0; i < turned.size(); ++i) turned[i] = finite[i % 256 * 256 + i / 256];
      for (const Transpose transpose : kTransposes) {
        const T* const matrix = (transpose == Transpose::kNo ? finite : turned).data();
        MultiplyBy(kernel, GemmProblem<T, float, float>{.m = 256,
                                                        .n = 256,
                                                        .k = 256,
                                                        .a = matrix,
                                                        .lda = 256,
                                                        .transpose_a = transpose,
                                                        .b = identity.data(),
                                                        .ldb = 256,
                                                        .c = c.data(),
                                                        .ldc = 256});
        ExpectEqualsOfPatterns(c, finite);
        MultiplyBy(kernel, GemmProblem<float, T, float>{.m = 256,
                                                        .n = 256,
                                                        .k = 256,
                                                        .a = identity.data(),
                                                        .lda = 256,
                                                        .b = matrix,
                                                        .ldb = 256,
                                                        .transpose_b = transpose,
                                                        .c = c.data(),
                                                        .ldc = 256});
        ExpectEqualsOfPatterns(c, finite);
      }
    };
    test(BFloat16{});
    test(Float16{});
  });
}

TEST(MixedFloatGemmTest, FloatsBesideBf16AreRounded) {
  // Every upper half of a float, with lower halves that are cut off, lie halfway, and are rounded up.
  std::vector<float> numbers;
  for (uint32_t upper = 0; upper <= 0xffff; ++upper) {
    for (const uint32_t lower : {0x7fffU, 0x8000U, 0x8001U})
      numbers.push_back(std::bit_cast<float>(upper << 16 | lower));
  }
  const auto count = static_cast<int64_t>(numbers.size());
  const BFloat16 one(1.0f);
  const auto expect_rounded = [&](const std::vector<float>& actual) {
    for (size_t i = 0; i < numbers.size(); ++i) {
      const double expected = test::FormatOf<BFloat16>().Nearest(static_cast<double>(numbers[i]));
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(actual[i])) << i;
      } else {
        ASSERT_EQ(static_cast<double>(actual[i]), expected) << i;
      }
    }
  };
  ForAllKernels([&](const FloatGemmKernel& kernel) {
    std::vector<float> c(numbers.size());
    MultiplyBy(kernel, GemmProblem<BFloat16, float, float>{.m = 1,
                                                           .n = count,
                                                           .k = 1,
                                                           .a = &one,
                                                           .lda = 1,
                                                           .b = numbers.data(),
                                                           .ldb = count,
                                                           .c = c.data(),
                                                           .ldc = count});
    expect_rounded(c);
    MultiplyBy(
        kernel,
        GemmProblem<float, BFloat16, float>{
            .m = count, .n = 1, .k = 1, .a = numbers.data(), .lda = 1, .b = &one, .ldb = 1, .c = c.data(), .ldc = 1});
    expect_rounded(c);
  });
}

/// Calls test.operator()<A, B, C>() for all types of matrices.
template <typename F>
void ForAllMatrices(F test) {
  ForAllOperands([&]<typename A, typename B>() {
    ForAllTypes([&](auto c) {
      SCOPED_TRACE(::testing::Message() << "to " << kName<decltype(c)>);
      test.template operator()<A, B, decltype(c)>();
    });
  });
}

constexpr auto kGemm = [](const auto& problem) { Gemm(problem); };

TEST(MixedGemmTest, MatchesThreeLoops) {
  ForAllMatrices([]<typename A, typename B, typename C>() {
    for (const Size& size : RaggedSizes()) {
      ForAllForms<A, B, C>(size, [&](Product<A, B, C>& product) {
        // A bias with and without accumulation and padding, in half of all forms.
        if (product.problem().accumulate == (product.problem().ldc == size.n)) product.GiveBias();
        product.Compute(kGemm);
        product.ExpectRight(std::numeric_limits<float>::epsilon(), kLastRounding<C>);
      });
    }
  });
}

/// The sum, rounded to type C.
template <typename C>
double Rounded(float sum) {
  if constexpr (kIsHalf<C>) {
    return test::FormatOf<C>().Nearest(static_cast<double>(sum));
  } else {
    return static_cast<double>(sum);
  }
}

TEST(MixedGemmTest, IsTheProductOfFloatsRoundedOnce) {
  ForAllMatrices([]<typename A, typename B, typename C>() {
    if (kMayMultiplyPairs<A, B>) return;
    for (const Size& size : RaggedSizes()) {
      ForAllForms<A, B, C>(size, [&](Product<A, B, C>& product) {
        product.GiveBias();
        const std::vector<float> sums = product.template ComputeAs<float>(kGemm);
        for (const int threads : {1, 2, 3}) {
          const ScopedNumThreads scoped(threads);
          const std::vector<C>& c = product.Compute(kGemm);
          for (int64_t i = 0; i < size.m; ++i) {
            for (int64_t j = 0; j < size.n; ++j) {
              const int64_t at = i * product.problem().ldc + j;
              ASSERT_EQ(ConvertElement<double>(c[at]), Rounded<C>(sums[at])) << i << ", " << j;
            }
          }
        }
      });
    }
  });
}

TEST(MixedGemmTest, SameBitsForAnyNumberOfThreads) {
  ForAllMatrices([]<typename A, typename B, typename C>() {
    if (!kMayMultiplyPairs<A, B>) return;  // The test above compares these.
    for (const Size& size : std::vector<Size>{{20, 300, 70}, {300, 130, 37}}) {
      ForAllForms<A, B, C>(size, [&](Product<A, B, C>& product) {
        product.GiveBias();
        const ScopedNumThreads one(1);
        const std::vector<C> expected = product.Compute(kGemm);
        for (const int threads : {2, 3}) {
          const ScopedNumThreads more(threads);
          ExpectSameBits(product.Compute(kGemm), expected);
        }
      });
    }
  });
}

TEST(MixedGemmTest, DeepProductsAreRoundedOnce) {
  // Beyond some depth, kernels for pairs of bf16 keep sums in C, which must then be floats.
  Product<BFloat16, float, BFloat16> product({30, 35, 9000}, Transpose::kNo, Transpose::kYes, 3, true);
  product.GiveBias();
  product.Compute(kGemm);
  product.ExpectRight(0x1p-24 / 16, kLastRounding<BFloat16>);
}

TEST(MixedGemmTest, ManyColumnsAreRoundedPartByPart) {
  // C has more elements than the buffer of float sums holds at a time.
  Product<BFloat16, Float16, BFloat16> product({8300, 1100, 2}, Transpose::kNo, Transpose::kYes, 3, true);
  const std::vector<float> sums = product.ComputeAs<float>(kGemm);
  const std::vector<BFloat16>& c = product.Compute(kGemm);
  product.ExpectRight(std::numeric_limits<float>::epsilon(), kLastRounding<BFloat16>);
  for (int64_t i = 0; i < 8300; ++i) {
    for (int64_t j = 0; j < 1100; ++j) {
      const int64_t at = i * product.problem().ldc + j;
      ASSERT_EQ(ConvertElement<double>(c[at]), Rounded<BFloat16>(sums[at])) << i << ", " << j;
    }
  }
}

TEST(MixedGemmTest, EmptySizes) {
  ForAllMatrices([]<typename A, typename B, typename C>() {
    for (const Size& size : std::vector<Size>{{0, 0, 0}, {0, 3, 2}, {3, 0, 2}, {3, 2, 0}}) {
      ForAllForms<A, B, C>(size, [&](Product<A, B, C>& product) {
        product.Compute(kGemm);
        product.ExpectRight(0);
      });
    }
    std::vector<C> c(6, ConvertElement<C>(1.0f));
    Gemm<A, B, C>(Transpose::kNo, Transpose::kYes, 2, 3, 0, nullptr, nullptr, c.data());
    for (const C& element : c) EXPECT_EQ(ConvertElement<float>(element), 0.0f);
  });
}

TEST(MixedGemmTest, WithoutDepthTheProductIsTheBias) {
  ForAllMatrices([]<typename A, typename B, typename C>() {
    const std::vector<float> bias = {1.5f, -2.0f, 0.25f};
    for (const bool accumulate : {false, true}) {
      std::vector<C> c(6, ConvertElement<C>(4.0f));
      Gemm(
          GemmProblem<A, B, C>{.m = 2, .n = 3, .c = c.data(), .ldc = 3, .accumulate = accumulate, .bias = bias.data()});
      for (size_t i = 0; i < c.size(); ++i) {
        EXPECT_EQ(ConvertElement<float>(c[i]), bias[i % 3] + (accumulate ? 4.0f : 0.0f)) << i;
      }
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
