#include "twofour/sparse/kernels/linear/linear_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/search/mask_search.h"
#include "twofour/sparse/mask.h"

#include "tests/support/case_tables.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {

void PrintTo(const LinearKernel& kernel, std::ostream* out) { *out << kernel.name; }

namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::RandomBools;
using test::RandomF32;
using test::ScopedEnv;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::ThrowsMessage;

/// `in` [batch, k] times the transpose of a matrix [n, k], or times a matrix [k, n]. Summed in double.
Tensor Product(const Tensor& in, const Tensor& matrix, bool transposed) {
  const int64_t batch = in.dim(0), k = in.dim(1), n = transposed ? matrix.dim(0) : matrix.dim(1);
  Tensor out = Tensor::Empty({batch, n});
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        const float w = matrix.data<float>()[transposed ? j * k + i : i * n + j];
        sum += static_cast<double>(in.data<float>()[b * k + i]) * static_cast<double>(w);
      }
      out.mutable_data<float>()[b * n + j] = static_cast<float>(sum);
    }
  }
  return out;
}

/// The product in one direction, with a weight that is packed for it.
Tensor Multiply(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, Direction direction,
                const Tensor& in, const Epilogue& epilogue = {}) {
  const auto packed = kernel.pack(weight.data<float>(), mask.view(), direction);
  // Old contents of the output must not matter.
  Tensor out = Tensor::Full({in.dim(0), direction == Direction::kForward ? mask.rows() : mask.cols()}, 1e30);
  kernel.multiply(*packed, direction, in.dim(0), in.data<float>(), epilogue, out.mutable_data<float>());
  return out;
}

constexpr Direction kForward = Direction::kForward, kInputGrad = Direction::kInputGrad;

/// Every kernel of the table.
class LinearKernelTest : public ::testing::TestWithParam<LinearKernel> {
 protected:
  void SetUp() override {
    if (const std::string why_not = WhyNotHere(GetParam().isa); !why_not.empty()) GTEST_SKIP() << why_not;
  }

  void ExpectIsProduct(const Tensor& weight, const Mask& mask, int64_t batch) {
    const LinearKernel& kernel = GetParam();
    if (!Check(kernel, {mask.rows(), mask.cols(), batch}).can()) return;
    SCOPED_TRACE(::testing::Message() << "weight [" << mask.rows() << ", " << mask.cols() << "], batch " << batch);
    const Tensor masked = ApplyMask(weight, mask);
    const Tensor x = RandomF32({batch, mask.cols()}, {.seed = 2}), dy = RandomF32({batch, mask.rows()}, {.seed = 3});
    ExpectClose(Multiply(kernel, weight, mask, kForward, x), Product(x, masked, true), 1e-5, 1e-5);
    ExpectClose(Multiply(kernel, weight, mask, kInputGrad, dy), Product(dy, masked, false), 1e-5, 1e-5);
  }
};

TEST_P(LinearKernelTest, IsAProductWithTheMaskedWeight) {
  for (int64_t out : {4, 12, 64, 100}) {
    for (int64_t in : {4, 12, 64, 132}) {
      const Tensor weight = RandomF32({out, in}, {.seed = 1, .stream = static_cast<uint32_t>(out * 1000 + in)});
      for (MaskMethod algorithm : {MaskMethod::kExact, MaskMethod::kGreedy}) {
        const Mask mask = FindMask(weight, algorithm);
        for (int64_t batch : {0, 1, 3, 17, 64}) ExpectIsProduct(weight, mask, batch);
      }
    }
  }
}

TEST_P(LinearKernelTest, IsAProductForAnyNumberOfRows) {
  // Kernels work in different ways for different numbers of rows, and divide long sums and wide outputs.
  const Tensor weight = RandomF32({60, 76}, {.seed = 17});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  for (int64_t batch = 1; batch <= 40; ++batch) ExpectIsProduct(weight, mask, batch);
  for (int64_t batch : {63, 65, 255, 256, 257}) ExpectIsProduct(weight, mask, batch);
  for (const Shape& shape : {Shape{16, 1300}, Shape{1300, 16}, Shape{332, 140}}) {
    const Tensor large = RandomF32(shape, {.seed = 18});
    const Mask large_mask = FindMask(large, MaskMethod::kExact);
    for (int64_t batch : {1, 2, 4, 5, 25, 33}) ExpectIsProduct(large, large_mask, batch);
  }
}

TEST_P(LinearKernelTest, TakesAnyMaskThatItDoesNotRefuse) {
  const Tensor weight = RandomF32({24, 40}, {.seed = 19});
  Mask mask(24, 40);
  RandomSequence random({.seed = 20});
  for (int64_t i = 0; i < 60; ++i) mask.tiles()[i] = static_cast<TileMask>(random.Below(1 << 16));
  if (!Check(GetParam(), {24, 40, 1, kForward, MaskFormat::Unstructured()}).can()) return;
  for (int64_t batch : {1, 3, 9, 30}) ExpectIsProduct(weight, mask, batch);
}

TEST_P(LinearKernelTest, TheEpilogueAddsTheBiasAndSquaresThePositivePart) {
  const Tensor weight = RandomF32({24, 20}, {.seed = 14});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  const Tensor x = RandomF32({70, 20}, {.seed = 15}), bias = RandomF32({24}, {.seed = 16});
  const Tensor plain = Multiply(GetParam(), weight, mask, kForward, x);
  Tensor with_bias = plain.Clone(), squared = plain.Clone();
  for (int64_t i = 0; i < plain.numel(); ++i) {
    const float pre = plain.data<float>()[i] + bias.data<float>()[i % 24];
    with_bias.mutable_data<float>()[i] = pre;
    squared.mutable_data<float>()[i] = pre > 0 ? pre * pre : 0.0f;
  }
  ExpectBitEqual(Multiply(GetParam(), weight, mask, kForward, x, {.bias = bias.data<float>()}), with_bias);
  ExpectBitEqual(Multiply(GetParam(), weight, mask, kForward, x, {.bias = bias.data<float>(), .relu_squared = true}),
                 squared);
}

TEST_P(LinearKernelTest, TakesTilesThatKeepFewerThanEight) {
  const Tensor weight = RandomF32({16, 16}, {.seed = 4});
  Mask mask(16, 16);
  ExpectIsProduct(weight, mask, 5);  // Nothing kept.
  mask.tiles()[3] = 0b1000'0000'0100'0001;
  mask.tiles()[10] = GreedyTileMask({2, 1, 2, 3, 1, 8, 1, 6, 1, 1, 4, 5, 1, 3, 7, 1});
  ASSERT_EQ(CountKept(mask.tiles()[10]), 7);
  ExpectIsProduct(weight, mask, 5);
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
    const LinearProblem problem = {out, in, 1};
    const Verdict verdict = Check(GetParam(), problem);
    if (!verdict.can()) {
      EXPECT_EQ(verdict.rejection, Rejection::kNotTiled);
      EXPECT_THAT(InWords(verdict, GetParam(), problem), HasSubstr("4x4 tiles"));
      continue;
    }
    const Mask mask = Mask::FromTensor(RandomBools({out, in}, {.seed = 21}));
    const Tensor weight = RandomF32({out, in}, {.seed = 22});
    for (int64_t batch : {1, 3, 30}) ExpectIsProduct(weight, mask, batch);
  }
}

TEST_P(LinearKernelTest, RefusesDTypesThatItHasNoCodeFor) {
  for (DType LinearProblem::*const dtype : {&LinearProblem::weight, &LinearProblem::input, &LinearProblem::output}) {
    LinearProblem problem = {64, 64, 256};
    problem.*dtype = DType::kF64;
    const Verdict verdict = Check(GetParam(), problem);
    EXPECT_EQ(verdict.rejection, Rejection::kDType);
    EXPECT_FALSE(verdict.can());
    EXPECT_THAT(InWords(verdict, GetParam(), problem), HasSubstr("f64"));
  }
}

TEST_P(LinearKernelTest, ARowForOtherActivationsTakesThemAndNothingElse) {
  LinearKernel row = GetParam();
  row.activation = DType::kBF16;
  LinearProblem problem = {64, 64, 256};
  const bool can = Check(GetParam(), problem).can();
  EXPECT_EQ(Check(row, problem).rejection, Rejection::kDType);
  EXPECT_THAT(InWords(Check(row, problem), row, problem), HasSubstr("multiplies bf16 with f32 to bf16, here f32"));
  problem.input = DType::kBF16;
  EXPECT_EQ(Check(row, problem).rejection, Rejection::kDType);  // The output is f32.
  problem.output = DType::kBF16;
  EXPECT_EQ(Check(row, problem).can(), can);
  EXPECT_EQ(Check(GetParam(), problem).rejection, Rejection::kDType);
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
    EXPECT_GE(packed->bytes(), 128 * sizeof(float));
  }
}

TEST_P(LinearKernelTest, CanBeForced) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::string(GetParam().name));
  const LinearProblem problem{64, 64, 32};
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

TEST(LinearKernelsTest, NamesDifferAndTheReferenceIsLast) {
  std::vector<std::string_view> names;
  for (const LinearKernel& kernel : LinearKernels()) names.push_back(kernel.name);
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.back(), "scalar_reference");
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(ChooseLinearKernelTest, TakesTheFirstThatCanAndIsNotSlower) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  for (const LinearProblem& problem :
       {LinearProblem{64, 64, 32}, LinearProblem{4, 4, 1}, LinearProblem{12, 100, 0}, LinearProblem{768, 768, 2048}}) {
    const auto table = LinearKernels();
    const auto first = std::find_if(table.begin(), table.end(),
                                    [&](const LinearKernel& kernel) { return Check(kernel, problem).is_best(); });
    ASSERT_NE(first, table.end());
    const LinearPlan plan = ChooseLinearKernel(problem);
    EXPECT_EQ(plan.kernel, &*first);
    EXPECT_FALSE(plan.forced);
    EXPECT_THAT(ExplainLinearKernel(problem), AllOf(Not(IsEmpty()), Not(HasSubstr(first->name))));
  }
}

TEST(LinearKernelsTest, PairBucketsPayFromSomeBatchOnAndLaterForLargerWeights) {
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.family != "pair_bucket") continue;
    SCOPED_TRACE(kernel.name);
    int64_t fewest_of_smaller = 1;
    for (const int64_t width : {4, 128, 256, 512, 768, 4096}) {
      const auto pays = [&](int64_t batch) { return kernel.check({4 * width, width, batch}).is_best(); };
      int64_t fewest = 1;
      while (!pays(fewest)) ++fewest;
      EXPECT_GE(fewest, fewest_of_smaller) << "for width " << width;
      for (int64_t batch = fewest; batch < 4 * fewest; ++batch) EXPECT_TRUE(pays(batch)) << width << ", " << batch;
      EXPECT_EQ(kernel.check({width, 4 * width, fewest - 1}).bound, kernel.check({4 * width, width, fewest - 1}).bound);
      fewest_of_smaller = fewest;
    }
    EXPECT_GT(fewest_of_smaller, 1);
    // configs/sparse_mlp.pbtxt, where they were faster on every instruction set.
    EXPECT_TRUE(kernel.check({512, 128, 128}).is_best());
  }
}

// Runs once more for each lesser instruction set: see CMakeLists.txt.
TEST(ChooseLinearKernelTest, NoInstructionSetIsPassedOverWithinAFamily) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const auto best_of_family = [](std::string_view family) {
    const auto table = LinearKernels();
    return std::find_if(table.begin(), table.end(), [family](const LinearKernel& kernel) {
      return kernel.family == family && WhyNotHere(kernel.isa).empty();
    });
  };
  for (const int64_t out : {4, 128, 768, 3072}) {
    for (const int64_t in : {4, 128, 768, 3072}) {
      for (const int64_t batch : {1, 2, 8, 24, 25, 32, 63, 64, 65, 96, 127, 128, 200, 256, 257, 512, 4096}) {
        for (const Direction direction : {kForward, kInputGrad}) {
          for (const MaskFormat& format : {MaskFormat::TwoOfFour(), MaskFormat::Unstructured()}) {
            const LinearKernel& chosen = *ChooseLinearKernel({out, in, batch, direction, format}).kernel;
            EXPECT_EQ(chosen.name, best_of_family(chosen.family)->name)
                << "for [" << out << ", " << in << "] and " << batch << " rows";
          }
        }
      }
    }
  }
}

TEST(LinearKernelsTest, AFamilyStandsTogetherBestInstructionSetFirst) {
  std::vector<std::string_view> families;
  Isa last = Isa::kAny;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (families.empty() || families.back() != kernel.family) {
      EXPECT_EQ(std::count(families.begin(), families.end(), kernel.family), 0) << kernel.family;
      families.push_back(kernel.family);
    } else {
      EXPECT_LT(kernel.isa, last) << kernel.name;
    }
    last = kernel.isa;
  }
}

TEST(ForcedLinearKernelTest, HeedsNamesOfItsOwnTableOnly) {
  for (const MaskSearchKernel& search : MaskSearchKernels()) {
    const ScopedEnv env("TWOFOUR_KERNEL", search.name);
    EXPECT_EQ(ForcedLinearKernel(), nullptr);
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "exact_scalar,masked_dense");
  ASSERT_NE(ForcedLinearKernel(), nullptr);
  EXPECT_EQ(ForcedLinearKernel()->name, "masked_dense");
}

TEST(ChooseLinearKernelTest, ListsAllRejectionsWhereNoneCan) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  std::string_view family;
  for (const LinearKernel& kernel : LinearKernels()) {
    // Only the best kernel of each family is listed.
    if (!WhyNotHere(kernel.isa).empty() || kernel.family == std::exchange(family, kernel.family)) continue;
    EXPECT_THAT([] { ChooseLinearKernel({.out_features = 8, .in_features = 12, .batch = 4, .weight = DType::kF64}); },
                ThrowsMessage<Error>(AllOf(HasSubstr("[8, 12]"), HasSubstr(std::string(kernel.name)))));
  }
}

}  // namespace
}  // namespace twofour::sparse
