#include "twofour/nn/sparse_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "twofour/core/ops.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/clip.h"
#include "twofour/optim/sgd.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::Mask;
using sparse::MaskPlan;
using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::ElementsAre;
using Place = MaskedDecay::Place;

constexpr int64_t kOut = 8, kIn = 16;
constexpr double kLambda = 0.125, kLr = 0.5;  // Powers of two, whose products with a float are exact.
constexpr StepContext kFirstStep{.step = 0, .lr = kLr};
constexpr Place kPlaces[] = {Place::kGradient, Place::kMoments, Place::kWeight};

/// A layer with a gradient, and its SparseTraining.
class OneLayer {
 public:
  explicit OneLayer(const SemiSparseOptions& options)
      : layer_(RandomF32({kOut, kIn}, {.seed = 1}), Tensor(), options), training_(layer_) {}

  SemiSparseLinear& layer() { return layer_; }
  SparseTraining& training() { return training_; }
  Tensor weight() const { return layer_.weight(); }
  Tensor grad() const { return layer_.weight().grad(); }

  /// Makes the passes of optimizer step `step`.
  void Backward(int64_t step) {
    training_.BeforeStep({.step = step, .lr = kLr});
    weight().ZeroGrad();
    const Tensor x = RandomF32({5, kIn}, {.seed = 2, .step = static_cast<uint64_t>(step)});
    layer_.Forward(x).Backward(RandomF32({5, kOut}, {.seed = 3, .step = static_cast<uint64_t>(step)}));
  }

  void Train(optim::Optimizer& optimizer, int64_t step, double clip = 0) {
    Backward(step);
    const StepContext context{.step = step, .lr = kLr};
    training_.AfterBackward(context);
    if (clip > 0) optim::ClipGradNorm({weight()}, clip, optim::GradNorm({weight()}));
    training_.BeforeUpdate(context);
    optimizer.set_lr(kLr);
    optimizer.Step();
    training_.AfterUpdate(context);
  }

 private:
  SemiSparseLinear layer_;
  SparseTraining training_;
};

SemiSparseOptions Decay(Place place, double lambda = kLambda) {
  return {.masked_decay = {.lambda = lambda, .place = place}};
}

/// Fails unless `actual` is `start`, plus `factor` times `weight` where `mask` drops.
void ExpectDecayed(const Tensor& actual, const Tensor& start, double factor, const Tensor& weight, const Mask& mask) {
  for (int64_t i = 0; i < actual.numel(); ++i) {
    const float before = start.data<float>()[i], w = weight.data<float>()[i];
    const double expected = mask.Keeps(i / kIn, i % kIn) ? double{before} : double{before} + factor * double{w};
    EXPECT_EQ(actual.data<float>()[i], static_cast<float>(expected)) << i;
  }
}

TEST(SparseTrainingTest, FindsTheLayersOfAModel) {
  Generator generator(1);
  MlpStack model({.in_features = 16, .hidden_features = {32, 16}, .out_features = 10}, generator);
  SwapLinearWithSemiSparseLinear(model);
  SparseTraining training(model);
  ASSERT_EQ(training.layers().size(), 2u);
  EXPECT_EQ(training.layers()[1].name, "layers.1");
}

TEST(SparseTrainingTest, RefreshMasksFindsTheMaskOfTheNextPass) {
  OneLayer one({});
  one.Backward(0);
  const Mask before = one.layer().mask_in_force();
  Tensor weight = one.weight();
  FillUniform(weight, -1, 1, {.seed = 7});
  one.training().AfterUpdate(kFirstStep);
  EXPECT_EQ(one.layer().mask_in_force(), before);
  one.training().RefreshMasks();
  const Mask found = one.layer().mask_in_force();
  EXPECT_NE(found, before);
  EXPECT_EQ(found, MaskPlan().Find(weight, 1, {}, "w"));
  one.Backward(1);
  EXPECT_EQ(one.layer().mask_in_force(), found);
}

TEST(MaskedDecayTest, IsPartOfTheGradientBeforeItIsClipped) {
  OneLayer one(Decay(Place::kGradient));
  one.Backward(0);
  const Tensor grad = one.grad().Clone(), weight = one.weight().Clone();
  one.training().AfterBackward(kFirstStep);
  ExpectDecayed(one.grad(), grad, kLambda, weight, one.layer().mask());
  const Tensor decayed = one.grad().Clone();
  one.training().BeforeUpdate(kFirstStep);
  one.training().AfterUpdate(kFirstStep);
  ExpectBitEqual(one.grad(), decayed);
  ExpectBitEqual(one.weight(), weight);
}

TEST(MaskedDecayTest, IsAddedBeforeTheMomentsAfterClipping) {
  OneLayer one(Decay(Place::kMoments));
  one.Backward(0);
  const Tensor grad = one.grad().Clone(), weight = one.weight().Clone();
  one.training().AfterBackward(kFirstStep);
  ExpectBitEqual(one.grad(), grad);
  one.training().BeforeUpdate(kFirstStep);
  ExpectDecayed(one.grad(), grad, kLambda, weight, one.layer().mask());
  one.training().AfterUpdate(kFirstStep);
  ExpectBitEqual(one.weight(), weight);
}

TEST(MaskedDecayTest, IsTakenFromTheUpdatedWeightUnderTheMaskOfTheForwardPass) {
  OneLayer one(Decay(Place::kWeight));
  one.Backward(0);
  const Tensor grad = one.grad().Clone();
  const Mask mask = one.layer().mask();
  one.training().AfterBackward(kFirstStep);
  one.training().BeforeUpdate(kFirstStep);
  ExpectBitEqual(one.grad(), grad);
  Tensor weight = one.weight();
  FillUniform(weight, -1, 1, {.seed = 7});  // After this update another mask would be found.
  const Tensor updated = weight.Clone();
  ASSERT_NE(MaskPlan().Find(updated, 0, {}, "w"), mask);
  one.training().AfterUpdate(kFirstStep);
  ExpectDecayed(weight, updated, -kLr * kLambda, updated, mask);
}

TEST(MaskedDecayTest, ClippingShrinksTheOneAndNotTheOther) {
  // With SGD, the update shows what was clipped. The expected update is computed in double from the gradient of a layer
  // without decay.
  constexpr double kClip = 0.25;
  OneLayer plain({});
  plain.Backward(0);
  const Tensor weight = plain.weight().Clone();
  const Mask mask = plain.layer().mask();
  std::vector<double> grad, decay;
  for (int64_t i = 0; i < weight.numel(); ++i) {
    grad.push_back(plain.grad().data<float>()[i]);
    decay.push_back(mask.Keeps(i / kIn, i % kIn) ? 0.0 : 3 * double{weight.data<float>()[i]});
  }
  const auto norm = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value * value;
    return std::sqrt(sum);
  };
  std::vector<double> both;
  for (size_t i = 0; i < grad.size(); ++i) both.push_back(grad[i] + decay[i]);
  for (const Place place : {Place::kGradient, Place::kMoments}) {
    OneLayer one(Decay(place, 3));
    optim::Sgd sgd(one.layer().Parameters(), {.lr = kLr});
    one.Train(sgd, 0, kClip);
    for (size_t i = 0; i < grad.size(); ++i) {
      const double step =
          place == Place::kGradient ? both[i] * kClip / norm(both) : grad[i] * kClip / norm(grad) + decay[i];
      EXPECT_NEAR(one.weight().data<float>()[i], double{weight.data<float>()[i]} - kLr * step, 1e-5) << i;
    }
  }
}

TEST(MaskedDecayTest, WithPlainSgdTheGradientAndTheMomentsAreOnePlaceAndTheWeightDiffersInSecondOrder) {
  std::vector<Tensor> results;
  for (const Place place : kPlaces) {
    OneLayer one(Decay(place));
    optim::Sgd sgd(one.layer().Parameters(), {.lr = kLr});
    one.Train(sgd, 0);
    results.push_back(one.weight().Clone());
  }
  ExpectBitEqual(results[0], results[1]);
  // (1 - lr lambda) (w - lr g) - (w - lr g - lr lambda w) = lr^2 lambda g.
  OneLayer plain({});
  plain.Backward(0);
  const Mask mask = plain.layer().mask();
  double largest = 0;
  for (int64_t i = 0; i < kOut * kIn; ++i) {
    const double g = plain.grad().data<float>()[i];
    const double expected = mask.Keeps(i / kIn, i % kIn) ? 0.0 : kLr * kLr * kLambda * g;
    largest = std::max(largest, std::fabs(expected));
    EXPECT_NEAR(double{results[2].data<float>()[i]} - double{results[0].data<float>()[i]}, expected, 1e-6) << i;
  }
  EXPECT_GT(largest, 0.01);
}

TEST(MaskedDecayTest, AdamNormalizesWhatPassesThroughItsMomentsAndNotWhatDoesNot) {
  // The first step of Adam is lr times the sign of its input, whatever the size.
  constexpr double kHuge = 1000;
  OneLayer plain({});
  plain.Backward(0);
  const Tensor weight = plain.weight().Clone(), grad = plain.grad().Clone();
  const Mask mask = plain.layer().mask();
  for (const Place place : kPlaces) {
    OneLayer one(Decay(place, kHuge));
    optim::AdamW adam(one.layer().Parameters(), {.lr = kLr, .eps = 1e-12, .weight_decay = 0});
    one.Train(adam, 0);
    for (int64_t i = 0; i < kOut * kIn; ++i) {
      const double w = weight.data<float>()[i], g = grad.data<float>()[i];
      const bool kept = mask.Keeps(i / kIn, i % kIn);
      double expected = w - std::copysign(kLr, kept || place == Place::kWeight ? g : g + kHuge * w);
      if (place == Place::kWeight && !kept) expected -= kLr * kHuge * expected;
      EXPECT_NEAR(one.weight().data<float>()[i], expected, 1e-4 * (1 + std::fabs(expected))) << i;
    }
  }
}

TEST(MaskedDecayTest, DoesNothingWhereNothingIsMasked) {
  std::vector<SemiSparseOptions> dense(4);
  dense[0] = {.plan = MaskPlan({.first_sparse_step = 100})};
  dense[1] = {.plan = MaskPlan({.dense_from_step = 2})};
  dense[2] = {.apply = false};
  dense[3] = {.plan = MaskPlan({.stages = {{100, 3}}})};
  for (SemiSparseOptions options : dense) {
    for (const Place place : kPlaces) {
      options.masked_decay = {.lambda = 1, .place = place};
      options.freeze_step = 0;
      options.freeze_gradient = true;
      OneLayer one(options);
      one.Backward(3);
      const Tensor grad = one.grad().Clone(), weight = one.weight().Clone();
      const StepContext step{.step = 3, .lr = kLr};
      one.training().AfterBackward(step);
      one.training().BeforeUpdate(step);
      one.training().AfterUpdate(step);
      ExpectBitEqual(one.grad(), grad);
      ExpectBitEqual(one.weight(), weight);
    }
  }
}

TEST(MaskedDecayTest, BeginsAndEndsWithTheSparsePhase) {
  for (const Place place : kPlaces) {
    SemiSparseOptions options = Decay(place);
    options.plan = MaskPlan({.first_sparse_step = 3, .dense_from_step = 6});
    OneLayer decaying(options), plain({.plan = options.plan});
    optim::Sgd decaying_sgd(decaying.layer().Parameters(), {}), plain_sgd(plain.layer().Parameters(), {});
    for (int64_t step = 0; step < 9; ++step) {
      Tensor same = plain.weight();
      same.CopyFrom(decaying.weight());
      decaying.Train(decaying_sgd, step);
      plain.Train(plain_sgd, step);
      const bool differs = decaying.weight().ToVector() != plain.weight().ToVector();
      EXPECT_EQ(differs, step >= 3 && step < 6) << step;
    }
  }
}

TEST(MaskedDecayTest, LeavesAWeightThatDoesNotTrainAlone) {
  for (const Place place : kPlaces) {
    OneLayer one(Decay(place));
    Tensor weight = one.weight();
    weight.set_requires_grad(false);
    const Tensor before = weight.Clone();
    optim::Sgd sgd(one.layer().Parameters(), {});
    one.layer().Forward(RandomF32({5, kIn}, {.seed = 2}));
    one.training().AfterBackward(kFirstStep);
    one.training().BeforeUpdate(kFirstStep);
    sgd.Step();
    one.training().AfterUpdate(kFirstStep);
    ExpectBitEqual(weight, before);
  }
}

TEST(MaskedDecayTest, AfterTheUpdateCountsAsNoUpdateOfItsOwn) {
  for (const Place place : kPlaces) {
    SemiSparseOptions options = Decay(place);
    options.interval = 4;
    OneLayer one(options);
    optim::Sgd sgd(one.layer().Parameters(), {});
    std::vector<int> refreshes;
    for (int step = 0; step < 14; ++step) {
      one.Train(sgd, step);
      const Mask& mask = one.layer().mask();
      if (one.layer().Buffers()[2].tensor.item() == step + 1) {
        refreshes.push_back(step + 1);
        EXPECT_EQ(mask, MaskPlan().Find(one.weight(), 0, {}, "w"));
      }
    }
    EXPECT_THAT(refreshes, ElementsAre(4, 8, 12));
  }
}

TEST(FreezeGradientTest, DropsExactlyTheGradientOfWhatIsMaskedFromTheFreezeOn) {
  OneLayer one({.freeze_step = 3, .freeze_gradient = true}), free({.freeze_step = 3});
  optim::Sgd sgd(one.layer().Parameters(), {});
  for (int64_t step = 0; step < 6; ++step) {
    one.Backward(step);
    const Tensor grad = one.grad().Clone();
    one.training().AfterBackward({.step = step, .lr = kLr});
    if (step < 3) {
      ExpectBitEqual(one.grad(), grad);
    } else {
      ExpectBitEqual(one.grad(), sparse::ApplyMask(grad, one.layer().mask_in_force()));
    }
    sgd.Step();
    free.Backward(step);
    const Tensor whole = free.grad().Clone();
    free.training().AfterBackward({.step = step, .lr = kLr});
    ExpectBitEqual(free.grad(), whole);
  }
}

TEST(FreezeGradientTest, WhatIsMaskedThenStaysAsItIs) {
  OneLayer one({.freeze_step = 3, .freeze_gradient = true});
  optim::Sgd sgd(one.layer().Parameters(), {.momentum = 0.0});
  for (int64_t step = 0; step < 3; ++step) one.Train(sgd, step);
  const Mask mask = one.layer().mask();
  const Tensor before = one.weight().Clone();
  for (int64_t step = 3; step < 8; ++step) one.Train(sgd, step);
  EXPECT_EQ(one.layer().mask(), mask);
  for (int64_t i = 0; i < kOut * kIn; ++i) {
    const bool moved = one.weight().data<float>()[i] != before.data<float>()[i];
    EXPECT_EQ(moved, mask.Keeps(i / kIn, i % kIn)) << i;
  }
}

TEST(FreezeGradientTest, TheDecayOfAFrozenMaskIsAllThatMovesWhatIsMasked) {
  SemiSparseOptions options = Decay(Place::kGradient);
  options.freeze_step = 0;
  options.freeze_gradient = true;
  OneLayer one(options);
  one.Backward(0);
  const Tensor grad = one.grad().Clone();
  one.training().AfterBackward(kFirstStep);
  const Mask& mask = one.layer().mask_in_force();
  ExpectDecayed(one.grad(), sparse::ApplyMask(grad, mask), kLambda, one.weight(), mask);
}

TEST(FreezeGradientTest, ADenseFinishTrainsEverythingAgain) {
  OneLayer one({.plan = MaskPlan({.dense_from_step = 5}), .freeze_step = 2, .freeze_gradient = true});
  for (int64_t step = 0; step < 8; ++step) {
    one.Backward(step);
    const Tensor grad = one.grad().Clone();
    one.training().AfterBackward({.step = step, .lr = kLr});
    EXPECT_EQ(one.grad().ToVector() == grad.ToVector(), step < 2 || step >= 5) << step;
  }
}

}  // namespace
}  // namespace twofour::nn
