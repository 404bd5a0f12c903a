#include "twofour/core/kernels/gemm/bf16_gemm.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "twofour/core/convert_element.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/bf16_wrappers.h"
#include "tests/support/products.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::ForAllForms;
using test::kTransposes;
using test::NearestBf16;
using test::Product;
using test::ScopedNumThreads;
using Size = test::ProductSize;

/// Calls test(kernel) for each kernel that can run here.
template <typename F>
void ForAllKernels(F test) {
  for (const Bf16GemmKernel& kernel : Bf16GemmKernels()) {
    if (!IsAllowed(kernel.isa)) continue;
    SCOPED_TRACE(kernel.emulated ? "emulated" : std::string(NameOf(kernel.isa)));
    test(kernel);
  }
}

/// Calls test.operator()<A, B, C>() for all types that the kernels take.
template <typename F>
void ForAllTypes(F test) {
  const auto with_operands = [&]<typename A, typename B>() {
    constexpr bool kFloatA = std::is_same_v<A, float>, kFloatB = std::is_same_v<B, float>;
    SCOPED_TRACE(kFloatA ? "float times bf16" : kFloatB ? "bf16 times float" : "bf16");
    test.template operator()<A, B, float>();
    SCOPED_TRACE("rounded");
    test.template operator()<A, B, BFloat16>();
  };
  with_operands.template operator()<BFloat16, BFloat16>();
  with_operands.template operator()<BFloat16, float>();
  with_operands.template operator()<float, BFloat16>();
}

constexpr auto MultiplyBy(const Bf16GemmKernel& kernel) {
  return [&kernel](const auto& problem) { kernel.Multiply(problem); };
}

template <typename A, typename B, typename C>
void ExpectRight(const Bf16GemmKernel& kernel, Product<A, B, C>& product) {
  product.Compute(MultiplyBy(kernel));
  // Each product and each addition may err by half of the last digit of a float, and a rounded C by half of its own.
  product.ExpectRight(0x1p-24, std::is_same_v<C, float> ? 0 : 0x1p-8);
}

/// The same for all types and forms, with a bias and without.
void ExpectRight(const Bf16GemmKernel& kernel, const std::vector<Size>& sizes) {
  ForAllTypes([&]<typename A, typename B, typename C>() {
    for (const Size& size : sizes) {
      ForAllForms<A, B, C>(size, [&](Product<A, B, C>& product) {
        ExpectRight(kernel, product);
        product.GiveBias();
        ExpectRight(kernel, product);
      });
    }
  });
}

/// Edges of everything that the kernels divide: tiles of 14 rows and 32 columns, vectors of 16 columns, pairs, blocks
/// of 112 rows, groups of 128 columns. They are few, because the emulation is slow.
const std::vector<Size>& SomeEdges() {
  static const std::vector<Size> sizes = {{1, 1, 1},   {2, 17, 3},   {15, 33, 5}, {14, 32, 64},
                                          {29, 65, 1}, {113, 15, 2}, {3, 130, 33}};
  return sizes;
}

TEST(Bf16GemmTest, MatchesThreeLoops) {
  ForAllKernels([](const Bf16GemmKernel& kernel) { ExpectRight(kernel, SomeEdges()); });
}

TEST(Bf16GemmTest, MatchesThreeLoopsAtEveryEdge) {
  std::vector<Size> sizes;
  for (int64_t m = 1; m <= 16; ++m) sizes.push_back({m, 33, 5});
  for (const int64_t m : {27, 28, 29, 111, 112, 113, 225}) sizes.push_back({m, 35, 3});
  for (const int64_t n : {1, 2, 14, 15, 16, 17, 30, 31, 32, 34, 63, 64, 65, 127, 128, 129, 160}) {
    sizes.push_back({15, n, 4});
  }
  for (const int64_t k : {1, 2, 3, 6, 7, 8, 30, 31, 32, 33, 34, 63, 64, 65, 66}) sizes.push_back({15, 34, k});
  ForAllKernels([&](const Bf16GemmKernel& kernel) {
    if (!kernel.emulated) ExpectRight(kernel, sizes);
  });
}

TEST(Bf16GemmTest, DeepSumsAreKeptInC) {
  constexpr int64_t kMost = Bf16GemmKernel::kMostRoundedDepth;
  ForAllKernels([&](const Bf16GemmKernel& kernel) {
    for (const Size& size : std::vector<Size>{{3, 17, kMost + 1}, {15, 33, 2 * kMost + 3}}) {
      if (kernel.emulated && size.k > 2 * kMost) continue;
      for (const Transpose ta : kTransposes) {
        for (const bool accumulate : {false, true}) {
          Product<BFloat16, float> product(size, ta, Transpose::kYes, 1, accumulate);
          product.GiveBias();
          ExpectRight(kernel, product);
        }
      }
    }
    // The deepest sum that is never written down before it is rounded.
    Product<BFloat16, float, BFloat16> rounded({3, 33, kMost}, Transpose::kNo, Transpose::kNo, 0, true);
    ExpectRight(kernel, rounded);
  });
}

TEST(Bf16GemmTest, MoreColumnsThanArePackedAtATime) {
  // The columns make 17 panels. So deep, 16 are packed at a time.
  Product<float, BFloat16> product({3, 530, 4 << 12}, Transpose::kNo, Transpose::kYes, 0, true);
  product.GiveBias();
  ForAllKernels([&](const Bf16GemmKernel& kernel) {
    if (!kernel.emulated) ExpectRight(kernel, product);
  });
}

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

TEST(Bf16GemmTest, SameBitsForAnyNumberOfThreads) {
  ForAllKernels([](const Bf16GemmKernel& kernel) {
    ForAllTypes([&]<typename A, typename B, typename C>() {
      const std::vector<Size> few = {{30, 70, 33}}, many = {{1, 1001, 330}, {20, 301, 300}, {300, 131, 37}};
      for (const Size& size : kernel.emulated ? few : many) {
        for (const Transpose transpose : kTransposes) {
          Product<A, B, C> product(size, transpose, transpose, 0, true);
          product.GiveBias();
          const ScopedNumThreads one(1);
          const std::vector<C> expected = product.Compute(MultiplyBy(kernel));
          for (const int threads : {2, 3}) {
            const ScopedNumThreads more(threads);
            ASSERT_TRUE(SameBits(product.Compute(MultiplyBy(kernel)), expected)) << threads << " threads";
          }
        }
      }
    });
  });
}

TEST(Bf16GemmTest, TheEmulationGivesTheSameBits) {
  const Bf16GemmKernel& native = Bf16GemmKernels().front();
  const Bf16GemmKernel& emulated = Bf16GemmKernels().back();
  ASSERT_TRUE(emulated.emulated);
  if (native.emulated || !IsAllowed(native.isa)) GTEST_SKIP() << "the processor does not multiply pairs of bf16";
  ForAllTypes([&]<typename A, typename B, typename C>() {
    for (const Size& size : SomeEdges()) {
      ForAllForms<A, B, C>(size, [&](Product<A, B, C>& product) {
        product.GiveBias();
        const std::vector<C> expected = product.Compute(MultiplyBy(native));
        ASSERT_TRUE(SameBits(product.Compute(MultiplyBy(emulated)), expected));
      });
    }
  });
}

/// Numbers of many sizes, so that a sum in another order would have other bits. Some rows of `cols` numbers are tiny,
/// so that products are denormal, and one holds a NaN and infinities.
std::vector<float> Numbers(int64_t rows, int64_t cols, uint32_t stream) {
  std::vector<float> numbers = test::AwkwardFloats(rows * cols, {.seed = 41, .stream = stream}, false);
  const auto at = [&](int64_t row, int64_t col) -> float& { return numbers[static_cast<size_t>(row * cols + col)]; };
  for (int64_t row = 0; row < rows; row += 3) {
    for (int64_t col = 0; col < cols; ++col) at(row, col) *= 0x1p-62f;
  }
  if (rows < 6) return numbers;
  for (int64_t col = 0; col < cols; ++col) at(1, col) *= 0x1p-116f;  // Operands that are denormal themselves.
  at(4, 0) = std::numeric_limits<float>::quiet_NaN();
  at(5, cols / 2) = std::numeric_limits<float>::infinity();
  return numbers;
}

template <typename T>
std::vector<T> As(const std::vector<float>& from) {
  std::vector<T> to;
  for (const float x : from) to.push_back(ConvertElement<T>(x));
  return to;
}

TEST(Bf16GemmTest, AddsInTheOrderThatItPromises) {
  constexpr int64_t kRows = 16, kCols = 49;
  ForAllKernels([](const Bf16GemmKernel& kernel) {
    ForAllTypes([&]<typename A, typename B, typename C>() {
      for (const int64_t depth : {1, 36, 37}) {
        const std::vector<A> a = As<A>(Numbers(kRows, depth, 1));
        const std::vector<B> b = As<B>(Numbers(kCols, depth, 2));
        const std::vector<float> bias = Numbers(1, kCols, 3);
        const std::vector<C> before = As<C>(Numbers(kRows, kCols, 4));
        std::vector<C> c = before;
        kernel.Multiply(GemmProblem<A, B, C>{.m = kRows,
                                             .n = kCols,
                                             .k = depth,
                                             .a = a.data(),
                                             .lda = depth,
                                             .b = b.data(),
                                             .ldb = depth,
                                             .transpose_b = Transpose::kYes,
                                             .c = c.data(),
                                             .ldc = kCols,
                                             .accumulate = true,
                                             .bias = bias.data()});
        for (int64_t i = 0; i < kRows; ++i) {
          for (int64_t j = 0; j < kCols; ++j) {
            float sum = 0;
            for (int64_t pair = 0; pair < depth; pair += 2) {
              for (int64_t l = pair + 1; l >= pair; --l) {
                if (l == depth) continue;
                sum = test::FusedMultiplyAddBf16(NearestBf16(ConvertElement<float>(a[i * depth + l])),
                                                 NearestBf16(ConvertElement<float>(b[j * depth + l])), sum);
              }
            }
            sum = ConvertElement<float>(before[i * kCols + j]) + (sum + bias[j]);
            const float expected = std::is_same_v<C, float> ? sum : static_cast<float>(NearestBf16(sum));
            ASSERT_TRUE(test::SameFloat(ConvertElement<float>(c[i * kCols + j]), expected))
                << i << ", " << j << ": " << ConvertElement<float>(c[i * kCols + j]) << ", expected " << expected;
          }
        }
      }
    });
  });
}

}  // namespace
}  // namespace twofour::kernels
