#include "twofour/nn/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/init.h"

#include "tests/nn/compare_with_ops.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::ExpectComputes;
using test::I32;
using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

bool SameElements(const Tensor& a, const Tensor& b) { return a.ToVector() == b.ToVector(); }

TEST(RmsNormTest, StartsWithOnesAndNormalises) {
  RmsNorm norm(6, 1e-5);
  ASSERT_EQ(norm.NamedParameters().size(), 1u);
  EXPECT_EQ(norm.NamedParameters()[0].name, "weight");
  Tensor weight = norm.Parameters()[0];
  ExpectBitEqual(weight, Tensor::Full({6}, 1.0));
  weight.CopyFrom(RandomF32({6}, {.seed = 1}, 0.5, 2.0));
  ExpectComputes(norm, RandomF32({3, 6}, {.seed = 2}), [](const auto& in) { return ops::RmsNorm(in[0], in[1], 1e-5); });
  EXPECT_THAT([] { RmsNorm(0); }, ThrowsMessage<Error>(HasSubstr("features is 0")));
}

TEST(LayerNormTest, StartsAsPlainNormalisation) {
  LayerNorm norm(6, 1e-3);
  ASSERT_EQ(norm.NamedParameters().size(), 2u);
  EXPECT_EQ(norm.NamedParameters()[0].name, "weight");
  EXPECT_EQ(norm.NamedParameters()[1].name, "bias");
  Tensor weight = norm.Parameters()[0], bias = norm.Parameters()[1];
  ExpectBitEqual(weight, Tensor::Full({6}, 1.0));
  ExpectBitEqual(bias, Tensor::Zeros({6}));
  weight.CopyFrom(RandomF32({6}, {.seed = 1}, 0.5, 2.0));
  bias.CopyFrom(RandomF32({6}, {.seed = 2}));
  ExpectComputes(norm, RandomF32({3, 6}, {.seed = 3}),
                 [](const auto& in) { return ops::LayerNorm(in[0], in[1], in[2], 1e-3); });

  LayerNorm without_bias(6, 1e-5, false);
  ASSERT_EQ(without_bias.NamedParameters().size(), 1u);
  ExpectComputes(without_bias, RandomF32({3, 6}, {.seed = 3}),
                 [](const auto& in) { return ops::LayerNorm(in[0], in[1], Tensor(), 1e-5); });
  EXPECT_THAT([] { LayerNorm(-1); }, ThrowsMessage<Error>(HasSubstr("LayerNorm: features is -1, must be positive")));
  EXPECT_THROW(LayerNorm(8, -1e-5), Error);
}

TEST(EmbeddingTest, LooksUpStandardNormalRows) {
  Generator generator(1);
  Embedding embedding(1000, 8, generator);
  ASSERT_EQ(embedding.NamedParameters().size(), 1u);
  EXPECT_EQ(embedding.NamedParameters()[0].name, "weight");
  const Tensor weight = embedding.Parameters()[0];
  ASSERT_EQ(weight.shape(), (Shape{1000, 8}));
  EXPECT_NEAR(Mean(weight).item(), 0.0, 0.05);
  EXPECT_NEAR(Mean(Mul(weight, weight)).item(), 1.0, 0.05);
  const Tensor rows = embedding.Forward(I32({7, 0, 7, 999}, {2, 2}));
  ASSERT_EQ(rows.shape(), (Shape{2, 2, 8}));
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(rows.data<float>()[i], weight.data<float>()[7 * 8 + i]);
    EXPECT_EQ(rows.data<float>()[24 + i], weight.data<float>()[999 * 8 + i]);
  }
  Sum(rows).Backward();
  EXPECT_EQ(weight.grad().data<float>()[7 * 8], 2.0f);
  EXPECT_EQ(weight.grad().data<float>()[8], 0.0f);
  EXPECT_THROW(Embedding(0, 8, generator), Error);
  for (const double bad : {-1.0, 1e39, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(Embedding(2, 8, generator, bad), Error) << bad;
    EXPECT_THROW(RmsNorm(8, bad), Error) << bad;
    EXPECT_THROW(LinearInit::Normal(bad), Error) << bad;
    EXPECT_THROW(LinearInit::Uniform(bad), Error) << bad;
  }
  EXPECT_THROW(Embedding(8, -1, generator), Error);
}

TEST(DropoutTest, IsTheIdentityInEvaluationAndWithoutProbability) {
  Generator generator(1);
  const Tensor x = RandomF32({4, 4}, {.seed = 1});
  Dropout dropout(0.5, generator), never(0.0, generator);
  dropout.SetTraining(false);
  EXPECT_EQ(dropout.Forward(x).impl(), x.impl());
  EXPECT_EQ(never.Forward(x).impl(), x.impl());
  EXPECT_EQ(dropout.NumParameters(), 0);
}

TEST(DropoutTest, ZeroesAndScalesWhileTraining) {
  Generator generator(1);
  Dropout dropout(0.25, generator);
  const Tensor y = dropout.Forward(Tensor::Full({10000}, 3.0));
  int64_t zeros = 0;
  for (int64_t i = 0; i < y.numel(); ++i) {
    const float value = y.data<float>()[i];
    ASSERT_TRUE(value == 0.0f || value == 4.0f) << value;
    zeros += value == 0.0f;
  }
  EXPECT_NEAR(static_cast<double>(zeros) / 10000, 0.25, 0.02);
}

TEST(DropoutTest, DependsOnTheSeedTheLayerAndTheStep) {
  const Tensor x = Tensor::Full({1000}, 1.0);
  Generator one(1), one_again(1), two(2);
  Dropout dropout(0.5, one), same(0.5, one_again), other_seed(0.5, two), other_layer(0.5, one);
  for (Dropout* each : {&dropout, &same, &other_seed, &other_layer}) each->SetStep(5);
  const Tensor y = dropout.Forward(x);
  ExpectBitEqual(same.Forward(x), y);
  EXPECT_FALSE(SameElements(other_seed.Forward(x), y));
  EXPECT_FALSE(SameElements(other_layer.Forward(x), y));
  dropout.SetStep(6);
  EXPECT_FALSE(SameElements(dropout.Forward(x), y));
  dropout.SetStep(5);
  ExpectBitEqual(dropout.Forward(x), y);
}

TEST(DropoutTest, WithoutStepsThePassesAreCounted) {
  const Tensor x = Tensor::Full({1000}, 1.0);
  Generator generator(1), generator_again(1);
  Dropout counting(0.5, generator), stepped(0.5, generator_again);
  for (uint64_t pass = 0; pass < 3; ++pass) {
    stepped.SetStep(pass);
    ExpectBitEqual(counting.Forward(x), stepped.Forward(x));
    counting.SetTraining(false);
    counting.Forward(x);  // Passes in evaluation do not count.
    counting.SetTraining(true);
  }
}

TEST(DropoutTest, GradientPassesWhereTheInputDid) {
  Generator generator(1);
  Dropout dropout(0.5, generator);
  Tensor x = Tensor::Full({100}, 1.0);
  x.set_requires_grad();
  const Tensor y = dropout.Forward(x);
  dropout.Forward(x);  // A later pass must not change what the backward pass of the first one draws.
  Sum(y).Backward();
  ExpectBitEqual(x.grad(), y.Detach());
}

TEST(DropoutTest, ProbabilityMustBeOne) {
  Generator generator(1);
  for (double p : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(Dropout(p, generator), Error) << p;
  }
  Dropout all(1.0, generator);
  ExpectBitEqual(all.Forward(Tensor::Full({4}, 2.0)), Tensor::Zeros({4}));
}

}  // namespace
}  // namespace twofour::nn
