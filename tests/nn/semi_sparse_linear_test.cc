#include "twofour/nn/semi_sparse_linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/optim/sgd.h"
#include "twofour/sparse/ops.h"

#include "tests/nn/load_buffers.h"
#include "tests/support/expect_error.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::Mask;
using sparse::MaskMethod;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::LoadBuffers;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::Throws;
using ::testing::ThrowsMessage;

constexpr int64_t kOut = 8, kIn = 12;

/// One write of new random numbers. For a layer, this is an optimizer's step.
void Update(const SemiSparseLinear& layer, uint64_t step) {
  Tensor weight = layer.weight();
  const uint64_t version = weight.version();
  FillUniform(weight, -1, 1, {.seed = 99, .stream = 0, .step = step});
  ASSERT_EQ(weight.version(), version + 1);
}

/// Changes the weight without announcing it, so that only a mask search would notice.
void WriteBehindTheBack(const SemiSparseLinear& layer, float value) {
  float* weight = const_cast<float*>(layer.weight().data<float>());
  std::fill_n(weight, layer.weight().numel(), 0.0f);
  for (int64_t row = 0; row < kOut; ++row) weight[row * kIn + 2 + row / 2 % 2] = value;
}

sparse::MaskPlan PlanOf(MaskMethod algorithm) {
  const bool greedy = algorithm == MaskMethod::kGreedy;
  return sparse::MaskPlan({.method = greedy ? sparse::MaskMethod::kGreedy : sparse::MaskMethod::kExact});
}

SemiSparseLinear MakeLayer(int64_t interval = 1, MaskMethod algorithm = MaskMethod::kExact) {
  return SemiSparseLinear(RandomF32({kOut, kIn}, {.seed = 1}), RandomF32({kOut}, {.seed = 2}),
                          {.plan = PlanOf(algorithm), .interval = interval}, "blocks.0.c_fc.weight");
}

Mask MaskNow(const SemiSparseLinear& layer) { return layer.options().plan.Find(layer.weight(), 0, {}, "weight"); }

Tensor MaskedForward(SemiSparseLinear& layer, const Tensor& x, const Mask& mask) {
  return ops::Linear(x, sparse::ApplyMask(layer.weight(), mask),
                     layer.bias().defined() ? layer.bias().Detach() : Tensor());
}

TEST(SemiSparseLinearTest, ComputesWithTheMaskedWeight) {
  for (MaskMethod algorithm : {MaskMethod::kExact, MaskMethod::kGreedy}) {
    SemiSparseLinear layer = MakeLayer(1, algorithm);
    Tensor x = RandomF32({2, 3, kIn}, {.seed = 3});
    x.set_requires_grad();
    const Tensor y = layer.Forward(x);
    EXPECT_EQ(layer.mask(), MaskNow(layer));
    Tensor masked_x = x.Clone(), dy = RandomF32({2, 3, kOut}, {.seed = 4});
    masked_x.set_requires_grad();
    const Tensor expected = MaskedForward(layer, masked_x, layer.mask());
    ExpectClose(y, expected);
    y.Backward(dy);
    expected.Backward(dy);
    ExpectClose(x.grad(), masked_x.grad());
    EXPECT_TRUE(layer.weight().grad().defined());
    EXPECT_TRUE(layer.bias().grad().defined());
  }
}

TEST(SemiSparseLinearTest, TakesOverItsParameters) {
  const Tensor weight = RandomF32({kOut, kIn}, {.seed = 1});
  SemiSparseLinear layer(weight, Tensor());
  EXPECT_EQ(layer.weight().impl(), weight.impl());
  EXPECT_TRUE(weight.requires_grad());
  EXPECT_EQ(layer.NamedParameters().size(), 1u);
  EXPECT_EQ(layer.type_name(), "SemiSparseLinear");
  EXPECT_EQ(layer.in_features(), kIn);
  EXPECT_EQ(layer.out_features(), kOut);
  const Tensor x = RandomF32({3, kIn}, {.seed = 2});
  ExpectClose(layer.Forward(x), MaskedForward(layer, x, layer.mask()));
}

TEST(SemiSparseLinearTest, MasksAlongRowsNeedNoWholeTiles) {
  const Tensor weight = RandomF32({5, 9}, {.seed = 1}), bias = RandomF32({5}, {.seed = 2});
  const sparse::MaskPlan plan({.method = sparse::MaskMethod::kRows, .rows = {1, 3}, .first_sparse_step = 1});
  SemiSparseLinear layer(weight, bias, {.plan = plan});
  const Tensor x = RandomF32({7, 9}, {.seed = 3});
  ExpectClose(layer.Forward(x), ops::Linear(x, weight, bias));  // Dense at first.
  EXPECT_EQ(layer.mask().CountKept(), 5 * 9);
  layer.SetOptimizerStep(1);
  Tensor input = x.Clone();
  input.set_requires_grad();
  const Tensor y = layer.Forward(input);
  EXPECT_EQ(layer.mask().CountKept(), 5 * 3);
  const Tensor masked = sparse::ApplyMask(weight, layer.mask());
  ExpectClose(y, ops::Linear(x, masked, bias));
  Sum(y).Backward();
  Tensor expected = x.Clone();
  expected.set_requires_grad();
  Sum(ops::Linear(expected, masked, bias)).Backward();
  ExpectClose(input.grad(), expected.grad());
}

TEST(SemiSparseLinearTest, RefusesWhatCannotBeMasked) {
  EXPECT_THAT(
      [] {
        SemiSparseLinear(Tensor::Zeros({8, 10}), Tensor());
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("f32 [8, 10]"), HasSubstr("multiples of 4"))));
  EXPECT_THAT([] { SemiSparseLinear(Tensor::Zeros({6, 8}), Tensor()); }, ThrowsMessage<Error>(HasSubstr("[6, 8]")));
  EXPECT_THROW(SemiSparseLinear(Tensor::Zeros({8, 8}, DType::kF64), Tensor()), Error);
  EXPECT_THROW(SemiSparseLinear(Tensor::Zeros({4, 4, 4}), Tensor()), Error);
  EXPECT_THROW(SemiSparseLinear(Tensor(), Tensor()), Error);
  EXPECT_THAT(
      [] {
        SemiSparseLinear(Tensor::Zeros({8, 8}), Tensor(), {.interval = 0});
      },
      ThrowsMessage<Error>(HasSubstr("interval is 0")));
}

TEST(SemiSparseLinearTest, ANonFiniteWeightIsNamed) {
  SemiSparseLinear layer = MakeLayer();
  const Tensor x = RandomF32({3, kIn}, {.seed = 2});
  layer.Forward(x);
  Tensor weight = layer.weight();
  weight.mutable_data<float>()[kIn + 5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(
      [&] { layer.Forward(x); },
      Throws<Error>(AllOf(Property(&Error::kind, ErrorKind::kRuntimeFailure),
                          Property(&Error::what, AllOf(HasSubstr("blocks.0.c_fc.weight"), HasSubstr("[1, 5]"))))));
}

TEST(SemiSparseLinearTest, ANonFiniteWeightHasNoEffectiveWeightWhetherOrNotASearchIsDue) {
  const sparse::MaskPlan rows({.method = MaskMethod::kRows}), dense({.first_sparse_step = 1000});
  const Tensor x = RandomF32({3, kIn}, {.seed = 2});
  for (const SemiSparseOptions& options :
       {SemiSparseOptions{}, SemiSparseOptions{.interval = 5}, SemiSparseOptions{.freeze_step = 0},
        SemiSparseOptions{.plan = rows, .interval = 5, .soft_threshold = true}, SemiSparseOptions{.plan = dense},
        SemiSparseOptions{.interval = 5, .apply = false}}) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      SemiSparseLinear layer(RandomF32({kOut, kIn}, {.seed = 1}), Tensor(), options, "w");
      layer.Forward(x);
      Tensor weight = layer.weight();
      weight.mutable_data<float>()[kIn + 5] = bad;
      EXPECT_THAT([&] { layer.EffectiveWeight(); },
                  Throws<Error>(AllOf(Property(&Error::kind, ErrorKind::kRuntimeFailure),
                                      Property(&Error::what, HasSubstr("w: element [1, 5] is ")))));
      weight.mutable_data<float>()[kIn + 5] = 1;
      EXPECT_NO_THROW(layer.EffectiveWeight());
    }
  }
}

TEST(SemiSparseLinearTest, BetweenSearchesANonFiniteWeightGoesIntoProducts) {
  SemiSparseLinear layer(RandomF32({kOut, kIn}, {.seed = 1}), Tensor(), {.interval = 2}, "w");
  const Tensor x = RandomF32({3, kIn}, {.seed = 2});
  const Mask mask = layer.mask();
  int64_t col = 0;
  while (!mask.Keeps(1, col)) ++col;
  Tensor weight = layer.weight();
  weight.mutable_data<float>()[kIn + col] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(layer.Forward(x).data<float>()[1]));
  EXPECT_NO_THROW(layer.Buffers());
  weight.mutable_data<float>();  // The second write.
  EXPECT_THAT([&] { layer.Forward(x); }, ThrowsMessage<Error>(HasSubstr("w: element [1, ")));
}

TEST(SemiSparseLinearTest, AWriteBetweenForwardAndBackwardIsAnErrorAndDoesNotMixWeights) {
  SemiSparseLinear layer = MakeLayer();
  Tensor x = RandomF32({3, kIn}, {.seed = 3});
  x.set_requires_grad();
  const Tensor y = layer.Forward(x);
  Update(layer, 1);
  layer.mask();
  EXPECT_THAT([&] { Sum(y).Backward(); }, ThrowsMessage<Error>(HasSubstr("written to in place")));
}

TEST(MaskRefreshTest, OneSearchForEachUpdate) {
  SemiSparseLinear layer = MakeLayer();
  const Tensor x = RandomF32({3, kIn}, {.seed = 3});
  const Mask first = layer.mask();
  WriteBehindTheBack(layer, 1);
  for (int pass = 0; pass < 3; ++pass) Sum(layer.Forward(x)).Backward();  // Gradient accumulation.
  EXPECT_EQ(layer.mask(), first);
  EXPECT_NE(MaskNow(layer), first);
}

TEST(MaskRefreshTest, OneSearchAndOnePackingForEachUpdate) {
  // A kernel that packs. The packed weight does not show an unannounced write, but a second packing would.
  const test::ScopedEnv env("TWOFOUR_KERNEL", "masked_dense");
  SemiSparseLinear layer = MakeLayer();
  const Tensor x = RandomF32({3, kIn}, {.seed = 3});
  const Mask first = layer.mask();
  const Tensor y = layer.Forward(x).Detach();
  WriteBehindTheBack(layer, 1);
  for (int pass = 0; pass < 3; ++pass) {  // Gradient accumulation.
    const Tensor again = layer.Forward(x);
    ExpectBitEqual(again.Detach(), y);  // It was packed only once, too.
    Sum(again).Backward();
  }
  EXPECT_EQ(layer.mask(), first);
  EXPECT_NE(MaskNow(layer), first);
  Update(layer, 1);
  layer.Forward(x);
  const Mask second = layer.mask();
  EXPECT_EQ(second, MaskNow(layer));
  EXPECT_NE(second, first);
}

TEST(MaskRefreshTest, AnOptimizersStepIsOneUpdate) {
  SemiSparseLinear layer = MakeLayer(2);
  optim::Sgd sgd(layer.Parameters(), {.lr = 10.0});
  const Mask first = layer.mask();
  for (int step = 1; step <= 2; ++step) {
    sgd.ZeroGrad();
    for (uint64_t micro = 0; micro < 3; ++micro) {
      Sum(layer.Forward(RandomF32({3, kIn}, {.seed = 3, .stream = 0, .step = micro}))).Backward();
    }
    sgd.Step();
    if (step == 1) {
      EXPECT_EQ(layer.mask(), first);
    }
  }
  EXPECT_NE(layer.mask(), first);
  EXPECT_EQ(layer.mask(), MaskNow(layer));
}

TEST(MaskRefreshTest, EveryIntervalthUpdateRefreshes) {
  for (int64_t interval : {1, 2, 3, 5}) {
    SemiSparseLinear layer = MakeLayer(interval);
    Mask expected = MaskNow(layer);
    EXPECT_EQ(layer.mask(), expected);
    for (int64_t step = 1; step <= 11; ++step) {
      Update(layer, static_cast<uint64_t>(step));
      if (step % interval == 0) expected = MaskNow(layer);
      EXPECT_EQ(layer.mask(), expected) << "interval " << interval << ", step " << step;
    }
  }
}

TEST(MaskRefreshTest, UpdatesWithoutAUseBetweenCount) {
  SemiSparseLinear layer = MakeLayer(3);
  const Mask first = layer.mask();
  Update(layer, 1);
  Update(layer, 2);
  EXPECT_EQ(layer.mask(), first);
  for (uint64_t step = 3; step <= 7; ++step) Update(layer, step);  // The refresh falls due at the next use.
  const Mask at_seven = MaskNow(layer);
  EXPECT_EQ(layer.mask(), at_seven);
  Update(layer, 8);
  Update(layer, 9);
  EXPECT_EQ(layer.mask(), at_seven);
  Update(layer, 10);
  EXPECT_EQ(layer.mask(), MaskNow(layer));
}

TEST(MaskRefreshTest, ValuesFollowTheWeightWhileTheMaskStays) {
  SemiSparseLinear layer = MakeLayer(10);
  const Tensor x = RandomF32({3, kIn}, {.seed = 3});
  const Mask first = layer.mask();
  for (uint64_t step = 1; step < 4; ++step) {
    Update(layer, step);
    ExpectClose(layer.Forward(x), MaskedForward(layer, x, first));
  }
}

TEST(MaskRefreshTest, EvaluationChangesNothing) {
  for (int64_t interval : {1, 3}) {
    SemiSparseLinear plain = MakeLayer(interval), evaluated = MakeLayer(interval);
    const Tensor x = RandomF32({3, kIn}, {.seed = 3});
    for (uint64_t step = 1; step <= 7; ++step) {
      ExpectBitEqual(evaluated.Forward(x).Detach(), plain.Forward(x).Detach());
      Update(plain, step);
      Update(evaluated, step);
      const NoGradGuard no_grad;
      evaluated.SetTraining(false);
      for (int pass = 0; pass < 2; ++pass) evaluated.Forward(x);
      evaluated.Buffers();
      evaluated.RetainedL1();
      evaluated.SetTraining(true);
    }
    EXPECT_EQ(evaluated.mask(), plain.mask());
    EXPECT_EQ(evaluated.flip_rate(), plain.flip_rate());
  }
}

TEST(MaskBuffersTest, RoundTrip) {
  SemiSparseLinear layer = MakeLayer(5), restored = MakeLayer(5);
  layer.mask();
  const Mask found_at_first = layer.mask();
  for (uint64_t step = 1; step <= 3; ++step) Update(layer, step);
  const std::vector<NamedTensor> buffers = layer.Buffers();
  ASSERT_EQ(buffers.size(), 4u);
  EXPECT_EQ(buffers[0].name, "weight_mask");
  EXPECT_EQ(buffers[1].name, "weight_mask_age");
  EXPECT_EQ(buffers[2].name, "weight_mask_step");
  EXPECT_EQ(buffers[3].name, "weight_mask_flip_rate");
  EXPECT_EQ(Mask::FromTensor(buffers[0].tensor), found_at_first);
  EXPECT_EQ(buffers[1].tensor.dtype(), DType::kI32);
  EXPECT_EQ(buffers[1].tensor.item(), 3);
  for (int i = 0; i < 4; ++i) Update(restored, 50);  // It gets another history.
  Tensor weight = restored.weight();
  weight.CopyFrom(layer.weight());
  LoadBuffers(restored, buffers);
  EXPECT_EQ(restored.flip_rate(), layer.flip_rate());  // Before the next refresh, too.
  for (uint64_t step = 4; step <= 12; ++step) {
    EXPECT_EQ(restored.mask(), layer.mask()) << step;
    EXPECT_EQ(restored.Buffers()[1].tensor.item(), layer.Buffers()[1].tensor.item()) << step;
    Update(layer, step);
    Update(restored, step);
  }
  EXPECT_EQ(restored.flip_rate(), layer.flip_rate());
}

TEST(MaskBuffersTest, AFreshLayerSavesTheMaskItWouldUse) {
  SemiSparseLinear layer = MakeLayer(5);
  const auto buffers = layer.Buffers();
  EXPECT_EQ(Mask::FromTensor(buffers[0].tensor), MaskNow(layer));
  EXPECT_EQ(buffers[1].tensor.item(), 0);
}

TEST(MaskBuffersTest, RefusesOtherTensors) {
  SemiSparseLinear layer = MakeLayer(5);
  const Mask before = layer.mask();
  EXPECT_ERROR(LoadBuffers(layer, {{"weight", Tensor::Zeros({1})}}), ErrorKind::kInvalidInput,
               "buffers: tensor 'weight': no such buffer");
  EXPECT_ERROR(LoadBuffers(layer, {{"weight_mask", Tensor::Zeros({kOut, kIn + 4}, DType::kBool)}}),
               ErrorKind::kInvalidInput, AllOf(HasSubstr("[8, 16]"), HasSubstr("[8, 12]")));
  EXPECT_ERROR(LoadBuffers(layer, {{"weight_mask", Tensor()}}), ErrorKind::kInvalidInput,
               "buffers: tensor 'weight_mask': is undefined");
  EXPECT_EQ(layer.mask(), before);
  EXPECT_EQ(layer.Buffers()[1].tensor.item(), 0);
}

TEST(SemiSparseStatisticsTest, FlipRateIsOfTheLastRefresh) {
  SemiSparseLinear layer = MakeLayer(2);
  EXPECT_EQ(layer.flip_rate(), 0.0);
  const Mask first = layer.mask();
  EXPECT_EQ(layer.flip_rate(), 0.0);
  Update(layer, 1);
  layer.mask();
  EXPECT_EQ(layer.flip_rate(), 0.0);
  Update(layer, 2);
  const Mask second = layer.mask();
  EXPECT_GT(layer.flip_rate(), 0.0);
  EXPECT_EQ(layer.flip_rate(), sparse::FlipRate(first, second));
}

TEST(SemiSparseStatisticsTest, RetainedL1IsThatOfTheMaskInForce) {
  SemiSparseLinear layer = MakeLayer(10);
  EXPECT_EQ(layer.RetainedL1(), sparse::RetainedL1(layer.weight(), MaskNow(layer)));
  const Mask first = layer.mask();
  Update(layer, 1);
  EXPECT_EQ(layer.RetainedL1(), sparse::RetainedL1(layer.weight(), first));
}

TEST(SemiSparseLinearTest, ABiasThatDoesNotFitIsAnError) {
  EXPECT_THAT(
      [] {
        SemiSparseLinear(Tensor::Zeros({8, 4}), Tensor::Zeros({4}));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("bias f32 [4]"), HasSubstr("expected f32 [8]"))));
  EXPECT_THAT([] { SemiSparseLinear(Tensor(), Tensor()); }, ThrowsMessage<Error>(HasSubstr("weight is undefined")));
  EXPECT_THAT(
      [] {
        SemiSparseActivationLinear(Tensor::Zeros({8, 4}), Tensor::Zeros({8}, DType::kF64));
      },
      ThrowsMessage<Error>(HasSubstr("bias f64 [8]")));
}

}  // namespace
}  // namespace twofour::nn
