#include "twofour/optim/clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::optim {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Parameters with gradients (3, 0) and (-4), and one without a gradient. Their norm is 5.
std::vector<Tensor> ThreeFourFive() {
  std::vector<Tensor> parameters{Tensor::Zeros({2}), Tensor::Zeros({1}), Tensor::Zeros({7})};
  parameters[0].set_grad(F32({3, 0}, {2}));
  parameters[1].set_grad(F32({-4}, {1}));
  return parameters;
}

TEST(GradNormTest, IsTheNormOfAllTogether) {
  EXPECT_DOUBLE_EQ(GradNorm(ThreeFourFive()), 5.0);
  EXPECT_EQ(GradNorm({}), 0.0);
  EXPECT_EQ(GradNorm({Tensor::Zeros({3})}), 0.0);
}

TEST(GradNormTest, LargeGradientsDoNotOverflow) {
  Tensor parameter = Tensor::Zeros({2});
  parameter.set_grad(F32({3e38f, 3e38f}, {2}));
  EXPECT_NEAR(GradNorm({parameter}) / (3e38 * std::sqrt(2.0)), 1.0, 1e-6);
}

TEST(ClipGradNormTest, ScalesGradientsOf16BitsInF32) {
  Tensor parameter = Tensor::Zeros({2});
  parameter.set_grad(F32({3, 4}, {2}).To(DType::kBF16));
  EXPECT_DOUBLE_EQ(ClipGradNorm({parameter}, 1.0), 5.0);
  ExpectBitEqual(parameter.grad(), F32({0.6f, 0.8f}, {2}));
}

TEST(ClipGradNormTest, ScalesWhatIsTooLong) {
  const auto parameters = ThreeFourFive();
  EXPECT_DOUBLE_EQ(ClipGradNorm(parameters, 2.5), 5.0);
  ExpectBitEqual(parameters[0].grad(), F32({1.5f, 0}, {2}));
  ExpectBitEqual(parameters[1].grad(), F32({-2}, {1}));
  EXPECT_FALSE(parameters[2].grad().defined());
  EXPECT_DOUBLE_EQ(GradNorm(parameters), 2.5);
}

TEST(ClipGradNormTest, TheLargestGradientsAreClippedAsExactlyAsOthers) {
  // The factor is far below the smallest normal float.
  for (const double max_norm : {1.0, 1e-6, 1e-30}) {
    constexpr int64_t kCount = 10000;
    Tensor parameter = Tensor::Zeros({kCount});
    parameter.set_grad(Tensor::Full({kCount}, 3e38));
    EXPECT_NEAR(ClipGradNorm({parameter}, max_norm) / 3e40, 1.0, 1e-6);
    EXPECT_NEAR(GradNorm({parameter}) / max_norm, 1.0, 1e-6) << max_norm;
  }
}

TEST(ClipGradNormTest, LeavesWhatIsShortEnough) {
  for (double max_norm : {5.0, 6.0, std::numeric_limits<double>::infinity()}) {
    const auto parameters = ThreeFourFive();
    const uint64_t version = parameters[0].grad().version();
    EXPECT_DOUBLE_EQ(ClipGradNorm(parameters, max_norm), 5.0);
    ExpectBitEqual(parameters[0].grad(), F32({3, 0}, {2}));
    EXPECT_EQ(parameters[0].grad().version(), version);
  }
}

TEST(ClipGradNormTest, TakesANormThatIsKnown) {
  const auto expected = ThreeFourFive(), parameters = ThreeFourFive();
  ClipGradNorm(expected, 2.5);
  ClipGradNorm(parameters, 2.5, GradNorm(parameters));
  ExpectBitEqual(parameters[0].grad(), expected[0].grad());
  ExpectBitEqual(parameters[1].grad(), expected[1].grad());
  EXPECT_THROW(ClipGradNorm(parameters, -1, 5.0), Error);
}

TEST(ClipGradNormTest, AParameterThatIsGivenTwiceCountsOnce) {
  auto parameters = ThreeFourFive();
  parameters.push_back(parameters[0]);
  EXPECT_DOUBLE_EQ(GradNorm(parameters), 5.0);
  EXPECT_DOUBLE_EQ(ClipGradNorm(parameters, 2.5), 5.0);
  ExpectBitEqual(parameters[0].grad(), F32({1.5f, 0}, {2}));
  EXPECT_DOUBLE_EQ(GradNorm(parameters), 2.5);
}

TEST(ClipGradNormTest, ZeroGradientsStay) {
  Tensor parameter = Tensor::Zeros({2});
  parameter.set_grad(Tensor::Zeros({2}));
  EXPECT_EQ(ClipGradNorm({parameter}, 1.0), 0.0);
  EXPECT_EQ(ClipGradNorm({parameter}, 0.0), 0.0);
  ExpectBitEqual(parameter.grad(), Tensor::Zeros({2}));
}

TEST(ClipGradNormTest, MaxNormMustNotBeNegative) {
  const auto parameters = ThreeFourFive();
  for (double max_norm : {-1.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT([&] { ClipGradNorm(parameters, max_norm); }, ThrowsMessage<Error>(HasSubstr("max_norm")));
  }
  ExpectBitEqual(parameters[0].grad(), F32({3, 0}, {2}));
}

TEST(ClipGradNormTest, ThreadsDoNotMatter) {
  std::vector<Tensor> grads;
  std::vector<double> norms;
  for (int threads : {1, 2, 3}) {
    const ScopedNumThreads scope(threads);
    Tensor parameter = Tensor::Zeros({100000});
    parameter.set_grad(RandomF32({100000}, {.seed = 1}));
    norms.push_back(ClipGradNorm({parameter}, 0.5));
    grads.push_back(parameter.grad());
  }
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_EQ(norms[i], norms[0]);
    ExpectBitEqual(grads[i], grads[0]);
  }
}

}  // namespace
}  // namespace twofour::optim
