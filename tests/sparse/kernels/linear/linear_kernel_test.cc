#include "twofour/sparse/kernels/linear/linear_kernel.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/mask.h"

#include "tests/sparse/kernels/linear/linear_products.h"
#include "tests/support/case_tables.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {

namespace {

using test::ExpectBitEqual;
using test::RandomBools;
using test::RandomF32;
using test::ScopedEnv;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::ThrowsMessage;

constexpr Direction kForward = Direction::kForward, kInputGrad = Direction::kInputGrad;

/// Every kernel of the table.
class LinearKernelTest : public ::testing::TestWithParam<LinearKernel> {
 protected:
  void SetUp() override {
    if (const std::string why_not = WhyNotHere(GetParam().isa); !why_not.empty()) GTEST_SKIP() << why_not;
  }

  /// Fails the test unless the kernel multiplies right in both directions.
  void ExpectMultiplies(const Tensor& weight, const Mask& mask, int64_t batch) {
    ExpectIsProduct(GetParam(), weight, mask, batch);
  }

  /// A problem with activations of the kernel's dtype.
  LinearProblem Problem(int64_t out, int64_t in, int64_t batch) { return ProblemFor(GetParam(), out, in, batch); }
};

TEST_P(LinearKernelTest, IsAProductWithTheMaskedWeight) {
  for (int64_t out : {4, 12, 64, 100}) {
    for (int64_t in : {4, 12, 64, 132}) {
      const Tensor weight = RandomF32({out, in}, {.seed = 1, .stream = static_cast<uint32_t>(out * 1000 + in)});
      for (MaskMethod algorithm : {MaskMethod::kExact, MaskMethod::kGreedy}) {
        const Mask mask = FindMask(weight, algorithm);
        for (int64_t batch : {0, 1, 3, 17, 64}) ExpectMultiplies(weight, mask, batch);
      }
    }
  }
}

TEST_P(LinearKernelTest, IsAProductForAnyNumberOfRows) {
  // Kernels work in different ways for different numbers of rows, and divide long sums and wide outputs.
  const Tensor weight = RandomF32({60, 76}, {.seed = 17});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  for (int64_t batch = 1; batch <= 40; ++batch) ExpectMultiplies(weight, mask, batch);
  for (int64_t batch : {63, 65, 96, 97, 127, 128, 129, 255, 256, 257}) ExpectMultiplies(weight, mask, batch);
  for (const Shape& shape : {Shape{16, 1300}, Shape{1300, 16}, Shape{332, 140}, Shape{4100, 4}, Shape{36, 256}}) {
    const Tensor large = RandomF32(shape, {.seed = 18});
    const Mask large_mask = FindMask(large, MaskMethod::kExact);
    for (int64_t batch : {1, 2, 4, 5, 25, 33}) ExpectMultiplies(large, large_mask, batch);
  }
}

TEST_P(LinearKernelTest, TakesAnyMaskThatItDoesNotRefuse) {
  const Tensor weight = RandomF32({24, 40}, {.seed = 19});
  Mask mask(24, 40);
  RandomSequence random({.seed = 20});
  for (int64_t i = 0; i < 60; ++i) mask.tiles()[i] = static_cast<TileMask>(random.Below(1 << 16));
  ASSERT_EQ(mask.format(), MaskFormat::Unstructured());
  for (int64_t batch : {1, 3, 9, 30}) ExpectMultiplies(weight, mask, batch);
}

TEST_P(LinearKernelTest, TheEpilogueAddsTheBiasAndSquaresThePositivePart) {
  for (const Shape& shape : {Shape{24, 20}, Shape{32, 36}, Shape{100, 260}}) {
    const Tensor weight = RandomF32(shape, {.seed = 14});
    const Mask mask = FindMask(weight, MaskMethod::kExact);
    const Tensor bias = RandomF32({shape[0]}, {.seed = 16}, -2, 2);
    const Epilogue epilogues[] = {
        {.bias = bias.data<float>()}, {.relu_squared = true}, {.bias = bias.data<float>(), .relu_squared = true}};
    for (const int64_t batch : {1, 7, 33, 70}) {
      const Tensor x = RandomF32({batch, shape[1]}, {.seed = 15});
      for (const Epilogue& epilogue : epilogues) ExpectIsProduct(GetParam(), weight, mask, kForward, x, epilogue);
    }
  }
}

TEST_P(LinearKernelTest, TheEpilogueComesBeforeTheOutputIsRounded) {
  // 1 + 2^-8 is a tie between two bf16, of which 1 is the even one. With the bias it is above the tie, and so is its
  // square.
  Tensor weight = Tensor::Zeros({4, 4});
  weight.mutable_data<float>()[0] = 1;
  weight.mutable_data<float>()[1] = 0x1p-8f;
  Mask mask(4, 4);
  mask.tiles()[0] = 0b1100'1100'0011'0011;
  const std::vector<float> bias = {0x1p-20f, 0, 0, 0};
  const auto first = [&](const Epilogue& epilogue) {
    const Tensor y = Multiply(GetParam(), weight, mask, kForward, Tensor::Full({1, 4}, 1), epilogue);
    return y.To(DType::kF32).data<float>()[0];
  };
  const auto rounded = [&](float x) { return Tensor::Full({1}, x).To(GetParam().activation).To(DType::kF32).item(); };
  EXPECT_EQ(first({}), rounded(1 + 0x1p-8f));
  EXPECT_EQ(first({.bias = bias.data()}), rounded(1 + 0x1p-8f + 0x1p-20f));
  EXPECT_EQ(first({.relu_squared = true}), rounded(1 + 0x1p-7f + 0x1p-16f));
}

TEST_P(LinearKernelTest, TakesTilesThatKeepFewerThanEight) {
  const Tensor weight = RandomF32({16, 16}, {.seed = 4});
  Mask mask(16, 16);
  ExpectMultiplies(weight, mask, 5);  // Nothing kept.
  mask.tiles()[3] = 0b1000'0000'0100'0001;
  mask.tiles()[10] = GreedyTileMask({2, 1, 2, 3, 1, 8, 1, 6, 1, 1, 4, 5, 1, 3, 7, 1});
  ASSERT_EQ(CountKept(mask.tiles()[10]), 7);
  ExpectMultiplies(weight, mask, 5);
}

TEST_P(LinearKernelTest, PrunedWeightsAreNotRead) {
  const Tensor weight = RandomF32({16, 32}, {.seed = 5});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  Tensor poisoned = weight.Clone();
  for (int64_t i = 0; i < weight.numel(); ++i) {
    if (!mask.Keeps(i / 32, i % 32)) poisoned.mutable_data<float>()[i] = std::numeric_limits<float>::quiet_NaN();
  }
  for (int64_t batch : {1, 3, 30}) {
    const Tensor x = RandomF32({batch, 32}, {.seed = 6}), dy = RandomF32({batch, 16}, {.seed = 7});
    ExpectBitEqual(Multiply(GetParam(), poisoned, mask, kForward, x), Multiply(GetParam(), weight, mask, kForward, x));
    ExpectBitEqual(Multiply(GetParam(), poisoned, mask, kInputGrad, dy),
                   Multiply(GetParam(), weight, mask, kInputGrad, dy));
  }
}

TEST_P(LinearKernelTest, RowsDoNotMix) {
  const Tensor weight = RandomF32({40, 36}, {.seed = 23});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  for (const int64_t batch : {2, 30, 33, 65}) {
    const Tensor x = RandomF32({batch, 36}, {.seed = 24});
    const Tensor expected = Multiply(GetParam(), weight, mask, kForward, x).To(DType::kF32);
    for (const int64_t row : {int64_t{0}, batch / 2, batch - 1}) {
      Tensor poisoned = x.Clone();
      std::fill_n(poisoned.mutable_data<float>() + row * 36, 36, std::numeric_limits<float>::quiet_NaN());
      const Tensor y = Multiply(GetParam(), weight, mask, kForward, poisoned).To(DType::kF32);
      for (int64_t i = 0; i < y.numel(); ++i) {
        const float actual = y.data<float>()[i];
        ASSERT_TRUE(i / 40 == row ? std::isnan(actual) : actual == expected.data<float>()[i])
            << i / 40 << ", " << i % 40;
      }
    }
  }
}

TEST_P(LinearKernelTest, ThreadsDoNotMatter) {
  // Enough rows and columns for several threads: blocks of a dense product are 256 x 512.
  const Tensor weight = RandomF32({64, 576}, {.seed = 8});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  for (int64_t batch : {1, 20, 40, 600}) {
    const Tensor x = RandomF32({batch, 576}, {.seed = 9}), dy = RandomF32({batch, 64}, {.seed = 10});
    const ScopedNumThreads one(1);
    const Tensor y = Multiply(GetParam(), weight, mask, kForward, x),
                 dx = Multiply(GetParam(), weight, mask, kInputGrad, dy);
    for (int threads : {2, 3}) {
      const ScopedNumThreads more(threads);
      ExpectBitEqual(Multiply(GetParam(), weight, mask, kForward, x), y);
      ExpectBitEqual(Multiply(GetParam(), weight, mask, kInputGrad, dy), dx);
    }
  }
}

TEST_P(LinearKernelTest, TakesAnySizeOrSaysWhyItRefusesOne) {
  for (const auto& [out, in] : {std::pair{6, 8}, {8, 6}, {5, 9}, {1, 1}, {3, 70}}) {
    const LinearProblem problem = Problem(out, in, 1);
    const Verdict verdict = Check(GetParam(), problem);
    if (!verdict.can()) {
      EXPECT_EQ(verdict.rejection, Rejection::kNotTiled);
      EXPECT_THAT(InWords(verdict, GetParam(), problem), HasSubstr("4x4 tiles"));
      continue;
    }
    const Mask mask = Mask::FromTensor(RandomBools({out, in}, {.seed = 21}));
    const Tensor weight = RandomF32({out, in}, {.seed = 22});
    for (int64_t batch : {1, 3, 30}) ExpectMultiplies(weight, mask, batch);
  }
}

TEST_P(LinearKernelTest, RefusesDTypesThatItHasNoCodeFor) {
  for (DType LinearProblem::*const dtype : {&LinearProblem::weight, &LinearProblem::input, &LinearProblem::output}) {
    LinearProblem problem = Problem(64, 64, 256);
    problem.*dtype = DType::kF64;
    const Verdict verdict = Check(GetParam(), problem);
    EXPECT_EQ(verdict.rejection, Rejection::kDType);
    EXPECT_FALSE(verdict.can());
    EXPECT_THAT(InWords(verdict, GetParam(), problem), HasSubstr("f64"));
  }
}

TEST_P(LinearKernelTest, TakesItsOwnActivationsAndNothingElse) {
  const DType own = GetParam().activation, other = own == DType::kF32 ? DType::kBF16 : DType::kF32;
  LinearProblem problem = Problem(64, 64, 256);
  EXPECT_TRUE(Check(GetParam(), problem).can());
  problem.input = other;
  EXPECT_EQ(Check(GetParam(), problem).rejection, Rejection::kDType);  // The output is its own.
  problem.output = other;
  EXPECT_EQ(Check(GetParam(), problem).rejection, Rejection::kDType);
  EXPECT_THAT(InWords(Check(GetParam(), problem), GetParam(), problem),
              HasSubstr(fmt::format("multiplies {0} with f32 to {0}, here {1}", NameOf(own), NameOf(other))));
}

TEST_P(LinearKernelTest, PacksInTheLayoutThatItNames) {
  const Tensor weight = RandomF32({16, 16}, {.seed = 21});
  const auto packed = GetParam().pack(weight.data<float>(), FindMask(weight, MaskMethod::kExact).view(), kForward);
  EXPECT_EQ(packed->layout(), GetParam().layout);
  EXPECT_TRUE(packed->isa() == Isa::kAny || packed->isa() == GetParam().isa);
}

TEST_P(LinearKernelTest, DescribesItself) {
  EXPECT_THAT(GetParam().name, Not(IsEmpty()));
  EXPECT_THAT(NameOf(GetParam().isa), Not(IsEmpty()));
  EXPECT_THAT(GetParam().tiling, Not(IsEmpty()));
  const Tensor weight = RandomF32({16, 16}, {.seed = 11});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  const auto packed = GetParam().pack(weight.data<float>(), mask.view(), kForward);
  // At least the kept values, or nothing if the kernel reads the weight itself.
  if (GetParam().layout == PackedLayout::kInPlace) {
    EXPECT_EQ(packed->bytes(), 0u);
  } else {
    EXPECT_GE(packed->bytes(), 128 * SizeOf(GetParam().activation));
  }
}

TEST_P(LinearKernelTest, CanBeForced) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::string(GetParam().name));
  const LinearProblem problem = Problem(64, 64, 32);
  if (Check(GetParam(), problem).can()) {
    EXPECT_EQ(ChooseLinearKernel(problem).kernel->name, GetParam().name);
    EXPECT_TRUE(ChooseLinearKernel(problem).forced);
    EXPECT_THAT(ExplainLinearKernel(problem), HasSubstr("TWOFOUR_KERNEL"));
  }
  EXPECT_THAT([] { ChooseLinearKernel({.out_features = 8, .in_features = 8, .batch = 1, .weight = DType::kF64}); },
              ThrowsMessage<Error>(
                  AllOf(HasSubstr("TWOFOUR_KERNEL"), HasSubstr(std::string(GetParam().name)), HasSubstr("f64"))));
}

INSTANTIATE_TEST_SUITE_P(Table, LinearKernelTest, ::testing::ValuesIn(LinearKernels().begin(), LinearKernels().end()),
                         test::ByName());

TEST(LinearKernelsTest, TheGreedyMasksOfTheseTestsHoldTilesOfSeven) {
  const Mask mask = FindMask(RandomF32({64, 64}, {.seed = 1, .stream = 64 * 1000 + 64}), MaskMethod::kGreedy);
  EXPECT_LT(mask.CountKept(), 64 * 64 / 2);
}

}  // namespace
}  // namespace twofour::sparse
