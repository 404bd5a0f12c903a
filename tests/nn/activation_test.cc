#include "twofour/nn/activation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/ops/activation.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::RandomF32;

TEST(ActivationTest, Names) {
  EXPECT_EQ(NameOf(Activation::kReluSquared), "relu_squared");
  EXPECT_EQ(NameOf(Activation::kRelu), "relu");
  EXPECT_EQ(NameOf(Activation::kGelu), "gelu");
  EXPECT_EQ(NameOf(Activation::kSwiGlu), "swiglu");
}

TEST(ActivationTest, AGateIsNoFunctionOfOneTensor) {
  EXPECT_ERROR(Activate(Activation::kSwiGlu, F32({1}, {1})), ErrorKind::kInvalidInput, ::testing::HasSubstr("gate"));
}

TEST(ActivationTest, AppliesTheNamedFunction) {
  const Tensor x = F32({-2, -0.5f, 0, 0.5f, 3}, {5});
  ExpectBitEqual(Activate(Activation::kReluSquared, x), F32({0, 0, 0, 0.25f, 9}, {5}));
  ExpectBitEqual(Activate(Activation::kRelu, x), F32({0, 0, 0, 0.5f, 3}, {5}));
  const Tensor random = RandomF32({100}, {.seed = 1});
  ExpectBitEqual(Activate(Activation::kGelu, random), Gelu(random));
}

}  // namespace
}  // namespace twofour::nn
