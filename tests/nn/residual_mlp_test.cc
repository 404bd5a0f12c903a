#include "twofour/nn/residual_mlp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"

#include "tests/nn/compare_with_ops.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectComputes;
using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(ResidualMlpTest, AddsTheBranchesOfItsBlocks) {
  Generator generator(1);
  ResidualMlp model({.in_features = 5,
                     .width = 4,
                     .hidden_features = 6,
                     .num_blocks = 2,
                     .out_features = 3,
                     .zero_init_projection = false},
                    generator);
  ExpectComputes(model, RandomF32({4, 5}, {.seed = 1}), [](const auto& in) {
    Tensor h = ops::Linear(in[0], in[1], in[2]);
    for (size_t block = 0; block < 2; ++block) {
      const auto* p = &in[3 + 5 * block];  // norm.weight, c_fc.weight, c_fc.bias, c_proj.weight, c_proj.bias
      h = Add(h, ops::Linear(ReluSquared(ops::Linear(ops::RmsNorm(h, p[0]), p[1], p[2])), p[3], p[4]));
    }
    return ops::Linear(ops::RmsNorm(h, in[13]), in[14], in[15]);
  });
}

TEST(ResidualMlpTest, StartsAsIfWithoutBlocks) {
  Generator generator(1);
  ResidualMlp model({.in_features = 5, .width = 8, .num_blocks = 2, .out_features = 3}, generator);
  const auto named = model.NamedParameters();
  const auto at = [&](const std::string& name) {
    for (const NamedTensor& parameter : named) {
      if (parameter.name == name) return parameter.tensor.Detach();
    }
    return Tensor();
  };
  EXPECT_EQ(at("blocks.1.mlp.c_fc.weight").shape(), (Shape{32, 8}));  // Four times the width by default.
  const Tensor x = RandomF32({4, 5}, {.seed = 1});
  const Tensor h = ops::Linear(x, at("input.weight"), at("input.bias"));
  ExpectBitEqual(model.Forward(x).Detach(),
                 ops::Linear(ops::RmsNorm(h, at("norm.weight")), at("head.weight"), at("head.bias")));
}

TEST(ResidualMlpTest, DropsBranchesWhileTraining) {
  Generator generator(1);
  ResidualMlp model(
      {.in_features = 5, .width = 8, .num_blocks = 1, .out_features = 3, .dropout = 0.5, .zero_init_projection = false},
      generator);
  const Tensor x = RandomF32({4, 5}, {.seed = 1});
  model.SetStep(1);
  const Tensor one = model.Forward(x);
  model.SetStep(2);
  EXPECT_NE(model.Forward(x).ToVector(), one.ToVector());
  model.SetTraining(false);
  const Tensor evaluated = model.Forward(x);
  ExpectBitEqual(model.Forward(x).Detach(), evaluated.Detach());
  EXPECT_NE(evaluated.ToVector(), one.ToVector());
}

TEST(ResidualMlpTest, BadOptionsAreErrors) {
  Generator generator(1);
  const ResidualMlpOptions good{.in_features = 5, .width = 8, .num_blocks = 1, .out_features = 3};
  const auto make = [&generator](ResidualMlpOptions options) {
    return [=, &generator] { ResidualMlp(options, generator); };
  };
  EXPECT_NO_THROW(make(good)());
  for (double dropout : {-0.5, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    ResidualMlpOptions bad = good;
    bad.dropout = dropout;
    EXPECT_THROW(make(bad)(), Error) << dropout;
  }
  ResidualMlpOptions bad = good;
  bad.num_blocks = -1;
  EXPECT_THAT(make(bad), ThrowsMessage<Error>(HasSubstr("num_blocks is -1")));
  bad = good;
  bad.width = 0;
  EXPECT_THROW(make(bad)(), Error);
  bad = good;
  bad.hidden_features = -4;
  EXPECT_THROW(make(bad)(), Error);
  bad = good;
  bad.num_blocks = 0;
  EXPECT_NO_THROW(make(bad)());
}

}  // namespace
}  // namespace twofour::nn
