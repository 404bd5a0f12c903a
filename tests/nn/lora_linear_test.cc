#include "twofour/nn/lora_linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/state_dict.h"
#include "twofour/sparse/mask.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::Mask;
using sparse::MaskMethod;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int64_t kOut = 16, kIn = 24, kRank = 3;
constexpr int64_t kFirstMaskedStep = 2;

/// Dense for two steps, then masked. Masks stay from the first one on.
SemiSparseOptions Masks(MaskMethod method) {
  sparse::MaskPlanOptions plan{.method = method, .first_sparse_step = kFirstMaskedStep};
  if (method == MaskMethod::kVnm) plan.vnm = {.v = 8, .m = 8};
  return {.plan = sparse::MaskPlan(plan), .freeze_step = kFirstMaskedStep};
}

std::unique_ptr<LoraLinear> MakeLayer(MaskMethod method = MaskMethod::kExact) {
  return std::make_unique<LoraLinear>(RandomF32({kOut, kIn}, {.seed = 1}), RandomF32({kOut}, {.seed = 2}),
                                      Masks(method), LoraOptions{.rank = kRank, .alpha = 6}, RandomKey{.seed = 3});
}

/// What an optimizer would do to the adapter.
void MoveAdapter(const LoraLinear& layer, uint64_t seed = 5) {
  Tensor a = layer.lora_a(), b = layer.lora_b();
  FillUniform(a, -1, 1, {.seed = seed, .stream = 1});
  FillUniform(b, -1, 1, {.seed = seed, .stream = 2});
}

/// W + 2 B A, from its definition.
Tensor SumOf(const LoraLinear& layer) {
  return Add(layer.weight().Clone(), Scale(MatMul(layer.lora_b().Detach(), layer.lora_a().Detach()), 2));
}

TEST(LoraLinearTest, StartsWithItsWeightAndOnlyTheAdapterTrains) {
  const auto layer = MakeLayer();
  EXPECT_EQ(layer->scale(), 2);
  ExpectBitEqual(layer->EffectiveWeight(), layer->weight());
  const float* const a = layer->lora_a().data<float>();
  const auto [low, high] = std::minmax_element(a, a + layer->lora_a().numel());
  const double bound = 1 / std::sqrt(double{kIn});
  EXPECT_TRUE(*low < -bound / 2 && *low >= -bound && *high > bound / 2 && *high <= bound);
  std::vector<std::string> names, trained;
  for (const NamedTensor& named : layer->NamedParameters()) {
    names.push_back(named.name);
    if (named.tensor.requires_grad()) trained.push_back(named.name);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("weight", "bias", "lora_A.weight", "lora_B.weight"));
  EXPECT_THAT(trained, ::testing::ElementsAre("lora_A.weight", "lora_B.weight"));
}

// Against a graph of dense ops on (W + 2 B A) * mask.
TEST(LoraLinearTest, ForwardAndGradientsInEachStage) {
  for (const MaskMethod method : {MaskMethod::kExact, MaskMethod::kRows, MaskMethod::kVnm}) {
    const auto layer = MakeLayer(method);
    MoveAdapter(*layer);
    for (const int64_t step : {int64_t{0}, kFirstMaskedStep}) {
      SCOPED_TRACE(testing::Message() << NameOf(method) << " at step " << step);
      layer->SetOptimizerStep(step);
      Tensor x = RandomF32({10, kIn}, {.seed = 4}), a = layer->lora_a().Clone(), b = layer->lora_b().Clone();
      Tensor plain_x = x.Clone();
      for (Tensor* const leaf : {&x, &plain_x, &a, &b}) leaf->set_requires_grad();
      const Tensor dy = RandomF32({10, kOut}, {.seed = 6});
      Tensor kept = Tensor::Full({kOut, kIn}, 1);
      if (step >= kFirstMaskedStep) {
        EXPECT_EQ(layer->mask(), layer->options().plan.Find(SumOf(*layer), step, {}, "w"));
        EXPECT_LT(layer->mask().CountKept(), kOut * kIn);
        kept = sparse::ApplyMask(kept, layer->mask());
      }
      const Tensor weight = Mul(Add(layer->weight().Clone(), Scale(MatMul(b, a), 2)), kept);
      const Tensor expected = ops::Linear(plain_x, weight, layer->bias().Clone());
      const Tensor y = layer->Forward(x);
      ExpectClose(y, expected);
      ops::Sum(Mul(y, dy)).Backward();
      ops::Sum(Mul(expected, dy)).Backward();
      ExpectClose(x.grad(), plain_x.grad());
      ExpectClose(layer->lora_a().grad(), a.grad());
      ExpectClose(layer->lora_b().grad(), b.grad());
      EXPECT_FALSE(layer->weight().grad().defined());
      EXPECT_FALSE(layer->bias().grad().defined());
      for (Tensor leaf : {layer->lora_a(), layer->lora_b()}) leaf.ZeroGrad();
    }
  }
}

TEST(LoraLinearTest, MergingKeepsWhatTheLayerComputesAndItsZeros) {
  const auto layer = MakeLayer();
  MoveAdapter(*layer);
  layer->SetOptimizerStep(kFirstMaskedStep);
  const Tensor x = RandomF32({10, kIn}, {.seed = 4}), before = layer->Forward(x), a = layer->lora_a().Clone();
  const Tensor effective = layer->EffectiveWeight(), sum = SumOf(*layer);
  const Mask mask = layer->mask();
  layer->Merge();
  EXPECT_EQ(layer->mask(), mask);
  ExpectBitEqual(layer->Forward(x), before);
  ExpectBitEqual(layer->EffectiveWeight(), effective);
  ExpectClose(layer->weight(), sum);
  ExpectBitEqual(layer->lora_a(), a);
  ExpectBitEqual(layer->lora_b(), Tensor::Zeros({kOut, kRank}));
  for (int64_t row = 0; row < kOut; ++row) {
    for (int64_t col = 0; col < kIn; ++col) {
      ASSERT_TRUE(mask.Keeps(row, col) || effective.data<float>()[row * kIn + col] == 0);
    }
  }
}

TEST(LoraLinearTest, AnUpdateOfTheAdapterChangesProductsButNotAFixedMask) {
  const auto layer = MakeLayer();
  layer->SetOptimizerStep(kFirstMaskedStep);
  const Tensor x = RandomF32({10, kIn}, {.seed = 4}), before = layer->Forward(x);
  const Mask mask = layer->mask();
  MoveAdapter(*layer);
  layer->SetOptimizerStep(kFirstMaskedStep + 1);
  EXPECT_EQ(layer->mask(), mask);
  const Tensor expected = ops::Linear(x, sparse::ApplyMask(SumOf(*layer), mask), layer->bias().Clone());
  ExpectClose(layer->Forward(x), expected);
  EXPECT_GT(std::abs(before.data<float>()[0] - expected.data<float>()[0]), 1e-3);
  EXPECT_NEAR(layer->RetainedL1(), sparse::RetainedL1(SumOf(*layer), mask), 1e-6);
}

TEST(LoraLinearTest, AStateDictRestoresIt) {
  const auto layer = MakeLayer();
  MoveAdapter(*layer);
  layer->SetOptimizerStep(kFirstMaskedStep);
  const Tensor x = RandomF32({10, kIn}, {.seed = 4}), expected = layer->Forward(x);
  const auto other = MakeLayer();
  MoveAdapter(*other, 8);
  other->SetOptimizerStep(kFirstMaskedStep);
  other->Forward(x);
  LoadStateDict(*other, StateDict(*layer), "state");
  ExpectBitEqual(other->Forward(x), expected);
}

TEST(LoraLinearTest, AWeightThatIsNotFiniteIsFound) {
  const auto layer = MakeLayer();
  MoveAdapter(*layer);
  Tensor b = layer->lora_b();
  b.mutable_data<float>()[0] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(layer->EffectiveWeight(), Error);
}

TEST(LoraLinearTest, WrongOptions) {
  const auto make = [](const SemiSparseOptions& sparsity, const LoraOptions& lora) {
    return [=] { LoraLinear(RandomF32({kOut, kIn}, {.seed = 1}), {}, sparsity, lora, {}, "fc.weight"); };
  };
  EXPECT_THAT(
      make({}, {.rank = 17}),
      ThrowsMessage<Error>("LoraLinear: rank 17 for fc.weight [16, 24], expected at most 16, its smaller side"));
  EXPECT_THAT(make({}, {.rank = 0}), ThrowsMessage<Error>(HasSubstr("rank")));
  EXPECT_THAT(make({}, {.alpha = 0}), ThrowsMessage<Error>(HasSubstr("alpha")));
  const SemiSparseOptions soft{.plan = sparse::MaskPlan({.method = MaskMethod::kRows}), .soft_threshold = true};
  EXPECT_THAT(make(soft, {}), ThrowsMessage<Error>(HasSubstr("soft_threshold")));
}

}  // namespace
}  // namespace twofour::nn
