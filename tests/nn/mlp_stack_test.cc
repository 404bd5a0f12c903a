#include "twofour/nn/mlp_stack.h"

#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"

#include "tests/nn/compare_with_ops.h"
#include "tests/support/expect_error.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectComputes;
using test::RandomF32;

TEST(MlpStackTest, ComputesLinearsWithActivationsBetween) {
  Generator generator(1);
  MlpStack stack({.in_features = 5, .hidden_features = {6, 4}, .out_features = 3}, generator);
  ExpectComputes(stack, RandomF32({4, 5}, {.seed = 1}), [](const auto& in) {
    const Tensor first = ReluSquared(ops::Linear(in[0], in[1], in[2]));
    return ops::Linear(ReluSquared(ops::Linear(first, in[3], in[4])), in[5], in[6]);
  });
  MlpStack gelu(
      {.in_features = 5, .hidden_features = {6}, .out_features = 3, .bias = false, .activation = Activation::kGelu},
      generator);
  ExpectComputes(gelu, RandomF32({4, 5}, {.seed = 2}),
                 [](const auto& in) { return ops::Linear(Gelu(ops::Linear(in[0], in[1])), in[2]); });
}

TEST(MlpStackTest, WithoutHiddenLayersItIsLinear) {
  Generator generator(1);
  MlpStack stack({.in_features = 5, .hidden_features = {}, .out_features = 3, .dropout = 0.9}, generator);
  ExpectComputes(stack, RandomF32({4, 5}, {.seed = 1}),
                 [](const auto& in) { return ops::Linear(in[0], in[1], in[2]); });
}

TEST(MlpStackTest, DropsHiddenFeaturesWhileTraining) {
  Generator generator(1), generator_again(1);
  const Tensor x = RandomF32({4, 5}, {.seed = 1});
  MlpStack plain({.in_features = 5, .hidden_features = {64, 64}, .out_features = 3}, generator);
  MlpStack dropping({.in_features = 5, .hidden_features = {64, 64}, .out_features = 3, .dropout = 0.5},
                    generator_again);
  dropping.SetTraining(false);
  ExpectBitEqual(dropping.Forward(x).Detach(), plain.Forward(x).Detach());  // The same weights, too.
  dropping.SetTraining(true);
  dropping.SetStep(1);
  const Tensor one = dropping.Forward(x);
  EXPECT_NE(one.ToVector(), plain.Forward(x).ToVector());
  dropping.SetStep(2);
  EXPECT_NE(dropping.Forward(x).ToVector(), one.ToVector());
  dropping.SetStep(1);
  ExpectBitEqual(dropping.Forward(x).Detach(), one.Detach());
}

TEST(MlpStackTest, BadOptionsAreErrors) {
  Generator generator(1);
  EXPECT_THROW(MlpStack({.in_features = 0, .hidden_features = {}, .out_features = 3}, generator), Error);
  EXPECT_THROW(MlpStack({.in_features = 4, .hidden_features = {8, -8}, .out_features = 3}, generator), Error);
  EXPECT_THROW(MlpStack({.in_features = 4, .hidden_features = {8}, .out_features = 3, .dropout = -0.5}, generator),
               Error);
  EXPECT_THROW(MlpStack({.in_features = 4, .hidden_features = {8}, .out_features = 3, .dropout = 1.5}, generator),
               Error);
  EXPECT_ERROR(
      MlpStack({.in_features = 4, .hidden_features = {8}, .out_features = 3, .activation = Activation::kSwiGlu},
               generator),
      ErrorKind::kInvalidInput,
      "MlpStack: activation is swiglu, expected one that needs no gate: relu_squared, relu, gelu or gelu_tanh");
}

}  // namespace
}  // namespace twofour::nn
