#include "twofour/core/kernels/gemm/library_bf16_gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <type_traits>
#include <vector>

#include "twofour/core/isa_choice.h"
#include "twofour/core/kernels/gemm/bf16_block.h"
#include "twofour/core/kernels/gemm/float_gemm.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/kernels/gemm/gemm_block.h"

#include "tests/support/products.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::ForAllForms;
using test::kTransposes;
using test::Product;
using test::ScopedNumThreads;
using Size = test::ProductSize;

template <typename C>
constexpr double kLastRounding = std::is_same_v<C, BFloat16> ? 0x1p-8 : 0;

template <typename T>
void ExpectSameBits(const std::vector<T>& actual, const std::vector<T>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  ASSERT_EQ(std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(T)), 0);
}

/// The row, where the processor can run it.
class LibraryBf16GemmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (LibraryBf16GemmKernels().empty()) GTEST_SKIP() << "this build has no library for products of bf16";
    kernel_ = &LibraryBf16GemmKernels()[0];
    if (!IsAllowed(kernel_->isa)) GTEST_SKIP() << "the library needs " << NameOf(kernel_->isa);
  }

  /// The product, computed by the row.
  auto Multiply() const {
    return [this](const auto& problem) { kernel_->Multiply(problem); };
  }

  const Bf16GemmKernel* kernel_ = nullptr;
};

/// One block and several, with ragged edges.
const std::vector<Size>& RaggedSizes() {
  static const std::vector<Size> sizes = {{1, 1, 1},    {1, 64, 32},   {25, 70, 64},  {31, 33, 31},
                                          {64, 64, 65}, {130, 300, 9}, {257, 65, 96}, {33, 70, 299}};
  return sizes;
}

TEST_F(LibraryBf16GemmTest, MatchesThreeLoops) {
  for (const Size& size : RaggedSizes()) {
    SCOPED_TRACE(::testing::Message() << size.m << " x " << size.n << " x " << size.k);
    ForAllForms<BFloat16, BFloat16, float>(size, [&](Product<BFloat16, BFloat16, float>& product) {
      product.Compute(Multiply());
      product.ExpectRight(std::numeric_limits<float>::epsilon());
    });
    ForAllForms<BFloat16, BFloat16, BFloat16>(size, [&](Product<BFloat16, BFloat16, BFloat16>& product) {
      product.Compute(Multiply());
      product.ExpectRight(std::numeric_limits<float>::epsilon(), kLastRounding<BFloat16>);
    });
  }
}

TEST_F(LibraryBf16GemmTest, MatchesThreeLoopsWhereBIsPackedInParts) {
  Product<BFloat16, BFloat16, BFloat16> product({25, 300, 33000}, Transpose::kNo, Transpose::kYes, 0, false);
  product.Compute(Multiply());
  product.ExpectRight(std::numeric_limits<float>::epsilon(), kLastRounding<BFloat16>);
}

/// Numbers of which many lie halfway between two of bf16.
std::vector<float> Halfways(int64_t count) {
  RandomSequence random({.seed = 5});
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    const float fraction = static_cast<float>(random.Below(1024)) / 512;  // Two bits more than bf16 has.
    value = std::ldexp(1.0f + fraction, static_cast<int>(random.Below(12)) - 6) * (random.Below(2) == 0 ? 1.0f : -1.0f);
  }
  return values;
}

std::vector<BFloat16> Rounded(const std::vector<float>& values) {
  std::vector<BFloat16> rounded;
  for (const float value : values) rounded.emplace_back(value);
  return rounded;
}

TEST_F(LibraryBf16GemmTest, RoundsFloatsToNearestEvenBeforeItMultiplies) {
  const int64_t m = 37, n = 75, k = 70;
  const std::vector<float> a = Halfways(m * k), b = Halfways(n * k);
  const std::vector<BFloat16> a16 = Rounded(a), b16 = Rounded(b);
  for (const Transpose ta : kTransposes) {
    for (const Transpose tb : kTransposes) {
      const auto compute = [&]<typename A, typename B>(const std::vector<A>& from_a, const std::vector<B>& from_b) {
        std::vector<float> c(m * n);
        kernel_->Multiply(GemmProblem<A, B, float>{.m = m,
                                                   .n = n,
                                                   .k = k,
                                                   .a = from_a.data(),
                                                   .lda = ta == Transpose::kYes ? m : k,
                                                   .transpose_a = ta,
                                                   .b = from_b.data(),
                                                   .ldb = tb == Transpose::kYes ? k : n,
                                                   .transpose_b = tb,
                                                   .c = c.data(),
                                                   .ldc = n});
        return c;
      };
      const std::vector<float> expected = compute(a16, b16);
      ExpectSameBits(compute(a, b16), expected);
      ExpectSameBits(compute(a16, b), expected);
    }
  }
}

TEST_F(LibraryBf16GemmTest, AddsBiasThenOldCAndRoundsOnce) {
  const int64_t m = 131, n = 299, k = 40, ldc = n + 3;
  const std::vector<BFloat16> a = Rounded(Halfways(m * k)), b = Rounded(Halfways(n * k));
  const std::vector<float> bias = Halfways(n), before = Halfways(m * ldc);
  const auto compute = [&](auto c, bool with_bias, bool accumulate) {
    using C = typename decltype(c)::value_type;
    kernel_->Multiply(GemmProblem<BFloat16, BFloat16, C>{.m = m,
                                                         .n = n,
                                                         .k = k,
                                                         .a = a.data(),
                                                         .lda = k,
                                                         .b = b.data(),
                                                         .ldb = n,
                                                         .c = c.data(),
                                                         .ldc = ldc,
                                                         .accumulate = accumulate,
                                                         .bias = with_bias ? bias.data() : nullptr});
    return c;
  };
  const std::vector<float> sums = compute(before, false, false);
  for (const bool with_bias : {false, true}) {
    for (const bool accumulate : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "bias " << with_bias << ", accumulate " << accumulate);
      std::vector<float> expected = before;
      std::vector<BFloat16> expected16 = Rounded(before);
      for (int64_t row = 0; row < m; ++row) {
        for (int64_t col = 0; col < n; ++col) {
          const auto at = static_cast<size_t>(row * ldc + col);
          const float sum = with_bias ? sums[at] + bias[static_cast<size_t>(col)] : sums[at];
          expected[at] = accumulate ? sum + before[at] : sum;
          expected16[at] = BFloat16(accumulate ? sum + static_cast<float>(expected16[at]) : sum);
        }
      }
      ExpectSameBits(compute(before, with_bias, accumulate), expected);
      ExpectSameBits(compute(Rounded(before), with_bias, accumulate), expected16);
    }
  }
}

TEST_F(LibraryBf16GemmTest, NumbersThatAreNotFiniteStayInTheirRowsAndColumns) {
  const int64_t m = 30, n = 70, k = 33;
  std::vector<BFloat16> a(m * k, BFloat16(1.0f)), b(n * k, BFloat16(1.0f));
  a[4 * k + 32] = BFloat16(std::numeric_limits<float>::infinity());
  b[32 * n + 69] = BFloat16(std::numeric_limits<float>::quiet_NaN());
  std::vector<float> c(m * n);
  kernel_->Multiply(GemmProblem<BFloat16, BFloat16, float>{
      .m = m, .n = n, .k = k, .a = a.data(), .lda = k, .b = b.data(), .ldb = n, .c = c.data(), .ldc = n});
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t col = 0; col < n; ++col) {
      const float actual = c[static_cast<size_t>(row * n + col)];
      if (col == 69) {
        EXPECT_TRUE(std::isnan(actual)) << row;
      } else {
        EXPECT_EQ(actual, row == 4 ? std::numeric_limits<float>::infinity() : 33.0f) << row << ", " << col;
      }
    }
  }
}

TEST_F(LibraryBf16GemmTest, ThreadsDoNotMatter) {
  for (const Size& size : {Size{513, 700, 96}, {2100, 65, 31}, {64, 1100, 64}, {130, 140, 4200}}) {
    SCOPED_TRACE(::testing::Message() << size.m << " x " << size.n << " x " << size.k);
    for (const Transpose ta : kTransposes) {
      for (const Transpose tb : kTransposes) {
        Product<BFloat16, BFloat16, float> product(size, ta, tb, 0, false);
        std::vector<float> expected;
        for (const int threads : {1, 2, 3}) {
          const ScopedNumThreads scoped(threads);
          const std::vector<float>& numbers = product.Compute(Multiply());
          if (threads == 1) expected = numbers;
          ExpectSameBits(numbers, expected);
        }
      }
    }
  }
}

TEST_F(LibraryBf16GemmTest, AnAThatIsReadInPlaceGivesWhatItsCopyGives) {
  const int64_t m = 70, n = 300, k = 64, lda = k + 1;
  const std::vector<BFloat16> a = Rounded(Halfways(m * k)), b = Rounded(Halfways(n * k));
  std::vector<BFloat16> wide(m * lda, BFloat16(std::numeric_limits<float>::quiet_NaN()));
  for (int64_t row = 0; row < m; ++row) std::copy_n(a.begin() + row * k, k, wide.begin() + row * lda);
  const auto compute = [&](const std::vector<BFloat16>& from, int64_t ld) {
    std::vector<float> c(m * n);
    kernel_->Multiply(GemmProblem<BFloat16, BFloat16, float>{
        .m = m, .n = n, .k = k, .a = from.data(), .lda = ld, .b = b.data(), .ldb = n, .c = c.data(), .ldc = n});
    return c;
  };
  ExpectSameBits(compute(wide, lda), compute(a, k));
}

TEST_F(LibraryBf16GemmTest, ManyThreadsMayMultiplyAtOnce) {
  // Each thread needs sizes that are new to the library, and sizes of the others.
  const auto sizes_of = [](int64_t thread) {
    return std::vector<Size>{
        {30 + thread, 64, 64}, {40, 64 * (1 + thread), 32}, {33, 130, 96}, {50, 70, 40 + 32 * thread}};
  };
  const auto compute = [&](const Size& size) {
    Product<BFloat16, BFloat16, float> product(size, Transpose::kYes, Transpose::kNo, 1, true);
    return product.Compute(Multiply());
  };
  constexpr int kThreads = 4;
  std::vector<std::vector<std::vector<float>>> results(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 3; ++round) {
        for (const Size& size : sizes_of(thread)) results[static_cast<size_t>(thread)].push_back(compute(size));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int thread = 0; thread < kThreads; ++thread) {
    size_t next = 0;
    for (int round = 0; round < 3; ++round) {
      for (const Size& size : sizes_of(thread)) {
        ExpectSameBits(results[static_cast<size_t>(thread)][next++], compute(size));
      }
    }
  }
}

TEST_F(LibraryBf16GemmTest, MoreSizesThanAreKeptAreComputedRight) {
  for (int64_t depth = 1; depth <= static_cast<int64_t>(Bf16Block::kMostKept) + 20; ++depth) {
    const auto block = Bf16Block::Find({1, Bf16Block::kPanel, depth * Bf16Block::kDepthStep});
    ASSERT_EQ(Bf16Block::Find({1, Bf16Block::kPanel, depth * Bf16Block::kDepthStep}), block);
  }
  Product<BFloat16, BFloat16, float> product({1, 64, 32}, Transpose::kNo, Transpose::kNo, 0, false);
  product.Compute(Multiply());
  product.ExpectRight(std::numeric_limits<float>::epsilon());
}

/// A machine with AMX. Here the library uses what it has instead.
internal::IsaChoice WithAmx() {
  internal::IsaChoice choice = {.allowed = AllowedIsas(), .bf16_pairs_pay = false};
  if (!IsAllowed(Isa::kAmxBf16)) choice.allowed.insert(choice.allowed.begin(), Isa::kAmxBf16);
  return choice;
}

/// The same machine if its processor was Intel's and had no AMX.
internal::IsaChoice WithSlowPairs() {
  internal::IsaChoice choice = {.allowed = AllowedIsas(), .bf16_pairs_pay = false};
  if (IsAllowed(Isa::kAmxBf16)) choice.allowed.erase(choice.allowed.begin());
  return choice;
}

template <typename A, typename B, typename C>
std::vector<C> ComputeByGemm(Product<A, B, C>& product, const internal::IsaChoice& choice) {
  const internal::ScopedIsaChoice scoped(choice);
  return product.Compute([](const auto& problem) { Gemm(problem); });
}

TEST_F(LibraryBf16GemmTest, GemmTakesItOnAmxExceptForLittleWork) {
  const internal::IsaChoice amx = WithAmx(), slow_pairs = WithSlowPairs();
  {
    const internal::ScopedIsaChoice scoped(amx);
    EXPECT_EQ(FastBf16Gemm(), kernel_);
    EXPECT_EQ(Bf16GemmName(), GemmLibraryName() + " (amxbf16)");
  }
  const auto test = [&](const Size& size, bool by_library) {
    SCOPED_TRACE(::testing::Message() << size.m << " x " << size.n << " x " << size.k);
    Product<BFloat16, BFloat16, BFloat16> product(size, Transpose::kNo, Transpose::kYes, 1, false);
    const std::vector<BFloat16> expected =
        by_library ? product.Compute(Multiply()) : ComputeByGemm(product, slow_pairs);
    ExpectSameBits(ComputeByGemm(product, amx), expected);
  };
  test({25, 300, 300}, true);
  test({130, 80, 5000}, true);  // Deeper than what twofour's own kernel rounds.
  test({24, 300, 300}, false);  // Few rows.
  test({63, 64, 64}, false);    // Little work.
}

TEST_F(LibraryBf16GemmTest, WherePairsPayGemmTakesTwofoursOwn) {
  internal::IsaChoice choice = WithSlowPairs();
  choice.bf16_pairs_pay = true;
  const internal::ScopedIsaChoice scoped(choice);
  ASSERT_NE(FastBf16Gemm(), nullptr);
  EXPECT_FALSE(FastBf16Gemm()->emulated);
  EXPECT_NE(FastBf16Gemm(), kernel_);
  EXPECT_EQ(Bf16GemmName(), "twofour (avx512bf16)");
}

TEST_F(LibraryBf16GemmTest, WherePairsAreSlowGemmComputesInFloats) {
  const FloatGemmKernel* const floats = FastFloatGemm();
  ASSERT_NE(floats, nullptr);
  const internal::ScopedIsaChoice scoped(WithSlowPairs());
  EXPECT_EQ(FastBf16Gemm(), nullptr);
  EXPECT_EQ(Bf16GemmName(), GemmName());
  Product<BFloat16, BFloat16, float> product({70, 80, 90}, Transpose::kNo, Transpose::kYes, 1, true);
  const std::vector<float> expected = product.Compute([&](const auto& problem) { floats->Multiply(problem); });
  ExpectSameBits(product.Compute([](const auto& problem) { Gemm(problem); }), expected);
}

}  // namespace
}  // namespace twofour::kernels
