#include "twofour/optim/adamw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/error.h"

#include "tests/optim/trajectory.h"

namespace twofour::optim {
namespace {

using test::F32;
using test::Fixture;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(AdamWTest, AgreesWithPyTorch) {
  const Fixture fixture("adamw");
  const auto parameters = test::InitialParameters(fixture);
  AdamW adamw({{parameters, fixture.Number("weight_decay")}}, {.lr = fixture.Number("lr"),
                                                               .beta1 = fixture.Number("beta1"),
                                                               .beta2 = fixture.Number("beta2"),
                                                               .eps = fixture.Number("eps")});
  test::ExpectTrajectory(adamw, parameters, fixture);
}

/// The update rule for one number, in double.
class Reference {
 public:
  Reference(double parameter, const AdamWOptions& options) : parameter_(parameter), options_(options) {}
  double Step(double grad) {
    ++t_;
    parameter_ *= 1 - options_.lr * options_.weight_decay;
    m_ = options_.beta1 * m_ + (1 - options_.beta1) * grad;
    v_ = options_.beta2 * v_ + (1 - options_.beta2) * grad * grad;
    const double m_hat = m_ / (1 - std::pow(options_.beta1, t_)), v_hat = v_ / (1 - std::pow(options_.beta2, t_));
    parameter_ -= options_.lr * m_hat / (std::sqrt(v_hat) + options_.eps);
    return parameter_;
  }

 private:
  double parameter_, m_ = 0, v_ = 0;
  AdamWOptions options_;
  int t_ = 0;
};

TEST(AdamWTest, TheFirstStepIsTheSignOfTheGradient) {
  // m / sqrt(v) is exactly the gradient's sign. So the step is lr, up to a few roundings, for every beta.
  for (double beta2 : {0.9, 0.99, 0.999, 0.9999, 0.99999}) {
    Tensor parameter = F32({0, 0, 0}, {3});
    AdamW adamw({parameter}, {.lr = 1, .beta2 = beta2, .weight_decay = 0});
    parameter.set_grad(F32({0.5f, -3, 100}, {3}));
    adamw.Step();
    EXPECT_NEAR(parameter.data<float>()[0], -1, 1e-6) << beta2;
    EXPECT_NEAR(parameter.data<float>()[1], 1, 1e-6) << beta2;
    EXPECT_NEAR(parameter.data<float>()[2], -1, 1e-6) << beta2;
  }
}

TEST(AdamWTest, FollowsTheRuleForManySteps) {
  for (const AdamWOptions& options :
       {AdamWOptions{}, AdamWOptions{.lr = 0.1, .beta1 = 0, .beta2 = 0.5, .eps = 0.1, .weight_decay = 0.5},
        AdamWOptions{.lr = 0.01, .beta1 = 0.95, .beta2 = 0.9999, .eps = 1e-8, .weight_decay = 0}}) {
    Tensor parameter = F32({0.5f}, {1});
    AdamW adamw({parameter}, options);
    Reference reference(0.5, options);
    RandomSequence random({.seed = 1});
    for (int step = 0; step < 200; ++step) {
      const float grad = random.Uniform(-1, 2);
      parameter.set_grad(F32({grad}, {1}));
      adamw.Step();
      const double expected = reference.Step(static_cast<double>(grad));
      ASSERT_NEAR(static_cast<double>(parameter.data<float>()[0]), expected, 1e-5 * (1 + std::fabs(expected)))
          << "lr " << options.lr << ", step " << step;
    }
  }
}

TEST(AdamWTest, DecayIsDecoupledFromTheGradient) {
  Tensor parameter = F32({2, 2}, {2});
  AdamW adamw({parameter}, {.lr = 0.5, .weight_decay = 0.5});
  parameter.set_grad(F32({0, 4}, {2}));
  adamw.Step();
  EXPECT_EQ(parameter.data<float>()[0], 1.5f);           // 2 * (1 - 0.25)
  EXPECT_NEAR(parameter.data<float>()[1], 1.0f, 1e-6f);  // 2 * (1 - 0.25) - lr
}

TEST(AdamWTest, BiasCorrectionCountsEachParametersOwnUpdates) {
  // As in PyTorch: a parameter that had no gradient so far starts as if the optimizer were new.
  Tensor early = F32({1}, {1}), late = F32({1}, {1});
  AdamW adamw({early, late}, {.lr = 0.1, .weight_decay = 0});
  early.set_grad(F32({1}, {1}));
  for (int step = 0; step < 1000; ++step) adamw.Step();
  Reference reference(1, {.lr = 0.1, .weight_decay = 0});
  for (float grad : {2.0f, 2.0f, 2.0f}) {
    late.set_grad(F32({grad}, {1}));
    adamw.Step();
    EXPECT_NEAR(static_cast<double>(late.data<float>()[0]), reference.Step(static_cast<double>(grad)), 1e-6);
  }
}

TEST(AdamWTest, BadOptionsAreErrors) {
  const std::vector<Tensor> parameters{F32({1}, {1})};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const AdamWOptions& bad :
       {AdamWOptions{.lr = -1}, AdamWOptions{.lr = nan}, AdamWOptions{.beta1 = 1.0}, AdamWOptions{.beta1 = -0.1},
        AdamWOptions{.beta2 = 1.0}, AdamWOptions{.beta2 = nan}, AdamWOptions{.eps = 0}, AdamWOptions{.eps = -1},
        AdamWOptions{.eps = 1e39}, AdamWOptions{.eps = 1e-50}, AdamWOptions{.weight_decay = 1e39},
        AdamWOptions{.weight_decay = -1}, AdamWOptions{.weight_decay = nan}}) {
    EXPECT_THROW(AdamW(parameters, bad), Error)
        << bad.lr << " " << bad.beta1 << " " << bad.beta2 << " " << bad.eps << " " << bad.weight_decay;
  }
  EXPECT_THAT([&] { AdamW(parameters, {.beta2 = 1.5}); }, ThrowsMessage<Error>(HasSubstr("1.5")));
}

}  // namespace
}  // namespace twofour::optim
