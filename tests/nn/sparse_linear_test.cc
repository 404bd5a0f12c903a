#include "twofour/nn/sparse_linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/row_packed_weight.h"

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
  const sparse::MaskPlan vnm({.method = sparse::MaskMethod::kVnm, .vnm = {.v = 16, .m = 8}});
  const std::string ratio[] = {"2:4", "2:4", "16:2:8"};
  int which = 0;
  for (const SemiSparseOptions& sparsity :
       {SemiSparseOptions{}, SemiSparseOptions{.plan = rows}, SemiSparseOptions{.plan = vnm}}) {
    SCOPED_TRACE(ratio[which]);
    for (const int64_t batch : {1, 7, 40}) {
      const std::unique_ptr<MlpStack> stack = Swapped(sparsity);
      const Tensor x = RandomF32({batch, 32}, {1});
      const Tensor before = stack->Forward(x);
      const SwapReport report = SwapSemiSparseLinearWithSparseLinear(*stack);
      EXPECT_THAT(report.converted, SizeIs(2));
      EXPECT_THAT(report.kept_dense, SizeIs(0));
      EXPECT_THAT(FindSemiSparseLinears(*stack), SizeIs(0));
      ExpectClose(stack->Forward(x), before, 1e-5);
      stack->VisitModules([&](const std::string&, Module& module) {
        const auto* const linear = dynamic_cast<const SparseLinear*>(&module);
        if (linear == nullptr) return;
        EXPECT_EQ(linear->weight().pattern().Ratio(), ratio[which]);
      });
    }
    ++which;
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

TEST(SparseLinearTest, LinearsWithZerosInPlaceArePacked) {
  const NoGradGuard no_grad;
  const std::unique_ptr<MlpStack> stack = Swapped();
  SwapSemiSparseLinearWithLinear(*stack, /*apply_mask=*/true);
  const Tensor x = RandomF32({7, 32}, {1});
  const Tensor before = stack->Forward(x);
  const SwapReport report = SwapLinearWithSparseLinear(*stack);
  EXPECT_THAT(report.converted, SizeIs(2));
  ASSERT_THAT(report.kept_dense, SizeIs(1));  // The last layer, which was never pruned.
  EXPECT_EQ(report.kept_dense[0].name, "layers.2");
  EXPECT_EQ(report.kept_dense[0].reason, "up to 4 of 4 neighbours along its rows are not zero, expected 2:4");
  ExpectClose(stack->Forward(x), before, 1e-5);
  EXPECT_FALSE(stack->training());
}

TEST(SparseLinearTest, AStateDictHoldsTheWeightsOfAPackedModel) {
  const std::unique_ptr<MlpStack> stack = Swapped();
  SwapSemiSparseLinearWithLinear(*stack, /*apply_mask=*/true);
  const std::vector<NamedTensor> before = StateDict(*stack);
  SwapLinearWithSparseLinear(*stack);
  const std::vector<NamedTensor> packed = StateDict(*stack);
  ASSERT_EQ(packed.size(), before.size());
  for (const NamedTensor& named : before) {
    const auto found = std::ranges::find(packed, named.name, &NamedTensor::name);
    ASSERT_NE(found, packed.end()) << named.name;
    test::ExpectBitEqual(found->tensor, named.tensor);
  }
}

TEST(SparseLinearTest, WeightsThatAreTooLargeForBf16AreRefused) {
  const std::unique_ptr<MlpStack> stack = Swapped();
  SwapSemiSparseLinearWithLinear(*stack, /*apply_mask=*/true);
  Tensor first = stack->NamedParameters()[0].tensor;
  float* const values = first.mutable_data<float>();
  *std::find_if(values, values + first.numel(), [](float value) { return value != 0; }) = 3.4e38f;
  EXPECT_THAT([&] { SwapLinearWithSparseLinear(*stack, {.values = DType::kBF16}); },
              ThrowsMessage<Error>(HasSubstr("layers.0.weight in bf16")));
  EXPECT_NO_THROW(SwapLinearWithSparseLinear(*stack));
}

TEST(SparseLinearTest, OneOfEightIsPackedWhereItHolds) {
  const NoGradGuard no_grad;
  Generator generator(1);
  Mlp mlp({.in_features = 20, .hidden_features = 24, .out_features = 8}, generator);
  Tensor weight = mlp.NamedParameters()[0].tensor;  // [24, 20]: groups of 8, 8 and 4.
  for (int64_t i = 0; i < weight.numel(); ++i) {
    if (i % 20 % 8 != i / 20 % 8) weight.mutable_data<float>()[i] = 0;
  }
  const Tensor x = RandomF32({2, 20}, {1});
  const Tensor before = mlp.Forward(x);
  const SwapReport report = SwapLinearWithSparseLinear(mlp, {.exclude = ".*c_proj", .pattern = {1, 8}});
  ASSERT_THAT(report.converted, SizeIs(1));
  EXPECT_EQ(report.converted[0].name, "c_fc");
  EXPECT_EQ(report.kept_dense[0].reason, "name matches exclude '.*c_proj'");
  ExpectClose(mlp.Forward(x), before, 1e-5);
}

TEST(SparseLinearTest, WhatCannotBePackedIsRefusedBeforeAnythingChanges) {
  const std::unique_ptr<MlpStack> stack = Swapped();
  SwapSemiSparseLinearWithLinear(*stack, /*apply_mask=*/true);
  const auto pack = [&](const PackOptions& options) {
    return [&, options] { SwapLinearWithSparseLinear(*stack, options); };
  };
  EXPECT_THAT(pack({.pattern = {4, 4}}), ThrowsMessage<Error>("pattern: got 4:4, expected n:m with 1 <= n < m <= 32"));
  EXPECT_THAT(pack({.values = DType::kF16}), ThrowsMessage<Error>("values: got f16, expected f32 or bf16"));
  EXPECT_THAT(pack({.include = "("}), ThrowsMessage<Error>(HasSubstr("include")));
  Tensor second = stack->NamedParameters()[2].tensor;
  float* const values = second.mutable_data<float>();
  *std::find_if(values, values + second.numel(), [](float value) { return value != 0; }) = std::nanf("");
  EXPECT_THAT(pack({}), ThrowsMessage<Error>(HasSubstr("layers.1.weight")));
  EXPECT_THAT(stack->NamedParameters(), SizeIs(6));
}

}  // namespace
}  // namespace twofour::nn
