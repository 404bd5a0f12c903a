#include "twofour/nn/activation_norms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "twofour/core/random.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

std::unique_ptr<Linear> MakeLinear(int64_t in) {
  Generator generator(1);
  return std::make_unique<Linear>(LinearOptions{.in_features = in, .out_features = 4}, generator);
}

TEST(ActivationNormsTest, CountsAllSamplesOfAllPasses) {
  const std::unique_ptr<Linear> linear = MakeLinear(2), other = MakeLinear(2);
  ActivationNorms norms;
  {
    const ForwardObserverScope scope(norms);
    linear->Forward(F32({3, 1, 0, -2}, {1, 2, 2}));
    linear->Forward(F32({-4, 2}, {1, 2}));
  }
  linear->Forward(F32({100, 100}, {1, 2}));  // After the scope.
  ExpectClose(norms.NormsOf(*linear), F32({5, 3}, {2}), 1e-6, 0);
  EXPECT_TRUE(norms.HasSeen(*linear));
  EXPECT_FALSE(norms.HasSeen(*other));
  EXPECT_ERROR(norms.NormsOf(*other), ErrorKind::kInvalidInput, HasSubstr("no forward pass"));
}

/// A float would lose the small sample after the large one.
TEST(ActivationNormsTest, AddsUpInDouble) {
  const std::unique_ptr<Linear> linear = MakeLinear(1);
  ActivationNorms norms;
  const ForwardObserverScope scope(norms);
  linear->Forward(F32({4096}, {1, 1}));
  for (int i = 0; i < 4096; ++i) linear->Forward(F32({1}, {1, 1}));
  ExpectClose(norms.NormsOf(*linear), F32({static_cast<float>(std::sqrt(4096.0 * 4096.0 + 4096.0))}, {1}), 1e-7, 0);
}

TEST(ActivationNormsTest, SeesHiddenActivationsInAnyNumberOfThreads) {
  Generator generator(2);
  Mlp mlp({.in_features = 300, .hidden_features = 520, .out_features = 8}, generator);
  const Tensor x = RandomF32({70, 300}, {1, 0, 0});
  const auto norms_with = [&](int threads) {
    const ScopedNumThreads scoped(threads);
    ActivationNorms norms;
    const ForwardObserverScope scope(norms);
    mlp.Forward(x);
    return norms.NormsOf(mlp.c_proj());
  };
  const Tensor norms = norms_with(1);
  EXPECT_EQ(norms.shape(), (Shape{520}));
  ExpectBitEqual(norms_with(3), norms);
}

}  // namespace
}  // namespace twofour::nn
