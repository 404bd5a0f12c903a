#include "twofour/nn/sparse_linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/swap.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectClose;
using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

std::unique_ptr<MlpStack> Swapped(const SemiSparseOptions& sparsity = {}) {
  Generator generator(3);
  auto stack = std::make_unique<MlpStack>(
      MlpStackOptions{.in_features = 32, .hidden_features = {64, 48}, .out_features = 10}, generator);
  SwapLinearWithSemiSparseLinear(*stack, {.sparsity = sparsity});
  stack->SetTraining(false);
  return stack;
}

TEST(SparseLinearTest, ASwappedModelComputesTheSame) {
  const NoGradGuard no_grad;
  const sparse::MaskPlan rows({.method = sparse::MaskMethod::kRows});
  for (const SemiSparseOptions& sparsity : {SemiSparseOptions{}, SemiSparseOptions{.plan = rows}}) {
    for (const int64_t batch : {1, 7, 40}) {
      const std::unique_ptr<MlpStack> stack = Swapped(sparsity);
      const Tensor x = RandomF32({batch, 32}, {1});
      const Tensor before = stack->Forward(x);
      const SwapReport report = SwapSemiSparseLinearWithSparseLinear(*stack);
      EXPECT_THAT(report.converted, SizeIs(2));
      EXPECT_THAT(report.kept_dense, SizeIs(0));
      EXPECT_THAT(FindSemiSparseLinears(*stack), SizeIs(0));
      ExpectClose(stack->Forward(x), before, 1e-5);
    }
  }
}

TEST(SparseLinearTest, ValuesOfBf16AreRoundedOnce) {
  const NoGradGuard no_grad;
  const std::unique_ptr<MlpStack> stack = Swapped();
  stack->SetActivationDType(DType::kBF16);
  const Tensor x = RandomF32({3, 32}, {1});
  const Tensor before = stack->Forward(x);
  SwapSemiSparseLinearWithSparseLinear(*stack, DType::kBF16);
  ExpectClose(stack->Forward(x), before, 2e-2);
}

TEST(SparseLinearTest, LayersThatAreNotTwoOfFourStayAsTheyAre) {
  const sparse::MaskPlan half({.schedule = sparse::SparsitySchedule({.to = 0.5})});
  const std::unique_ptr<MlpStack> stack = Swapped({.plan = half});
  const SwapReport report = SwapSemiSparseLinearWithSparseLinear(*stack);
  EXPECT_THAT(report.converted, SizeIs(0));
  ASSERT_THAT(report.kept_dense, SizeIs(2));
  EXPECT_EQ(report.kept_dense[0].reason, "its mask is not 2:4 along rows");
  const std::unique_ptr<MlpStack> dense = Swapped({.apply = false});
  EXPECT_EQ(SwapSemiSparseLinearWithSparseLinear(*dense).kept_dense[0].reason, "is dense");
}

TEST(SparseLinearTest, RefusesGradientsAndWeightsThatAreNotFinite) {
  const std::unique_ptr<MlpStack> stack = Swapped();
  stack->NamedParameters()[0].tensor.mutable_data<float>()[5] = std::numeric_limits<float>::infinity();
  EXPECT_THAT([&] { SwapSemiSparseLinearWithSparseLinear(*stack); },
              ThrowsMessage<Error>(HasSubstr("layers.0.weight")));
  EXPECT_THAT(FindSemiSparseLinears(*stack), SizeIs(2));
  const Tensor weight = RandomF32({4, 4}, {1});
  const auto packed = std::make_shared<const sparse::RowPackedWeight>(
      weight, sparse::FindMask(weight, sparse::MaskMethod::kExact), sparse::MaskFormat::Rows(2, 4), DType::kF32);
  SparseLinear linear(packed);
  Tensor x = RandomF32({2, 4}, {2});
  EXPECT_NO_THROW(linear.Forward(x));
  x.set_requires_grad(true);
  EXPECT_THAT([&] { linear.Forward(x); }, ThrowsMessage<Error>(HasSubstr("is for inference alone")));
  EXPECT_THAT([&] { SparseLinear(packed, RandomF32({3}, {1})); }, ThrowsMessage<Error>(HasSubstr("expected f32 [4]")));
  EXPECT_THAT([] { SparseLinear(nullptr); }, ThrowsMessage<Error>(HasSubstr("the weight is null")));
}

}  // namespace
}  // namespace twofour::nn
