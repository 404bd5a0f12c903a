#include "twofour/nn/linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/matmul.h"

#include "tests/nn/compare_with_ops.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectComputes;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(LinearTest, ComputesXWTransposedPlusBias) {
  Generator generator(1);
  Linear with_bias({.in_features = 5, .out_features = 3}, generator);
  ExpectComputes(with_bias, RandomF32({2, 4, 5}, {.seed = 1}),
                 [](const auto& in) { return ops::Linear(in[0], in[1], in[2]); });
  Linear without({.in_features = 5, .out_features = 3, .bias = false}, generator);
  ExpectComputes(without, RandomF32({5}, {.seed = 2}), [](const auto& in) { return ops::Linear(in[0], in[1]); });
}

TEST(LinearTest, OwnsWeightAndBias) {
  Generator generator(1);
  const Linear linear({.in_features = 5, .out_features = 3}, generator);
  EXPECT_EQ(linear.type_name(), "Linear");
  EXPECT_EQ(linear.in_features(), 5);
  EXPECT_EQ(linear.out_features(), 3);
  EXPECT_EQ(linear.NumParameters(), 18);
  const auto named = linear.NamedParameters();
  ASSERT_EQ(named.size(), 2u);
  EXPECT_EQ(named[0].name, "weight");
  EXPECT_EQ(named[1].name, "bias");
  EXPECT_EQ(named[0].tensor.impl(), linear.weight().impl());
  EXPECT_TRUE(named[1].tensor.requires_grad());
  const Linear without({.in_features = 5, .out_features = 3, .bias = false}, generator);
  EXPECT_EQ(without.NumParameters(), 15);
  EXPECT_FALSE(without.bias().defined());
}

TEST(LinearTest, TakesOverParameters) {
  const Tensor weight = RandomF32({3, 5}, {.seed = 3});
  const Linear linear(weight, Tensor());
  EXPECT_EQ(linear.weight().impl(), weight.impl());
  EXPECT_TRUE(weight.requires_grad());
}

TEST(LinearTest, ZeroInitialised) {
  Generator generator(1);
  const Linear linear({.in_features = 4, .out_features = 8, .init = LinearInit::Zero()}, generator);
  ExpectBitEqual(linear.weight(), Tensor::Zeros({8, 4}));
  ExpectBitEqual(linear.bias(), Tensor::Zeros({8}));
}

TEST(LinearTest, SizesMustBePositive) {
  Generator generator(1);
  EXPECT_THAT([&] { Linear({.in_features = 0, .out_features = 3}, generator); },
              ThrowsMessage<Error>(AllOf(HasSubstr("in_features 0"), HasSubstr("out_features 3"))));
  EXPECT_THAT([&] { Linear({.in_features = 4, .out_features = -1}, generator); },
              ThrowsMessage<Error>(HasSubstr("out_features -1")));
}

TEST(LinearTest, ParametersThatDoNotFitTogetherAreAnError) {
  EXPECT_THAT([] { Linear(Tensor(), Tensor()); }, ThrowsMessage<Error>(HasSubstr("weight is undefined")));
  EXPECT_THAT([] { Linear(Tensor::Zeros({4}), Tensor()); }, ThrowsMessage<Error>(HasSubstr("weight [4]")));
  EXPECT_THAT(
      [] {
        Linear(Tensor::Zeros({4, 3}), Tensor::Zeros({3}));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("bias f32 [3]"), HasSubstr("expected f32 [4]"))));
  EXPECT_THAT(
      [] {
        Linear(Tensor::Zeros({4, 3}), Tensor::Zeros({4}, DType::kF64));
      },
      ThrowsMessage<Error>(HasSubstr("bias f64 [4]")));
}

}  // namespace
}  // namespace twofour::nn
