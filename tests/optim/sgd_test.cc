#include "twofour/optim/sgd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/error.h"

#include "tests/optim/trajectory.h"

namespace twofour::optim {
namespace {

using test::ExpectClose;
using test::F32;
using test::Fixture;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(SgdTest, AgreesWithPyTorch) {
  const Fixture fixture("sgd");
  for (const std::string variant : {"plain", "momentum", "nesterov"}) {
    const auto parameters = test::InitialParameters(fixture);
    const double weight_decay = fixture.Number(variant + ".weight_decay");
    Sgd sgd({{parameters, weight_decay}}, {.lr = fixture.Number(variant + ".lr"),
                                           .momentum = fixture.Number(variant + ".momentum"),
                                           .nesterov = fixture.Flag(variant + ".nesterov")});
    test::ExpectTrajectory(sgd, parameters, fixture, variant + ".");
  }
}

/// The values of a parameter that starts at 2, after each of two steps with lr 0.5 and gradients -1 and 3.
std::vector<float> TwoSteps(const SgdOptions& options) {
  Tensor parameter = F32({2}, {1});
  Sgd sgd({parameter}, options);
  std::vector<float> values;
  for (float grad : {-1.0f, 3.0f}) {
    parameter.set_grad(F32({grad}, {1}));
    sgd.Step();
    values.push_back(parameter.data<float>()[0]);
  }
  return values;
}

TEST(SgdTest, HandComputedSteps) {
  using ::testing::ElementsAre;
  EXPECT_THAT(TwoSteps({.lr = 0.5}), ElementsAre(2.5f, 1.0f));
  // v = -1, then 0.5 * -1 + 3 = 2.5.
  EXPECT_THAT(TwoSteps({.lr = 0.5, .momentum = 0.5}), ElementsAre(2.5f, 1.25f));
  // g + 0.5 v = -1.5, then 3 + 1.25 = 4.25.
  EXPECT_THAT(TwoSteps({.lr = 0.5, .momentum = 0.5, .nesterov = true}), ElementsAre(2.75f, 0.625f));
  // g = -1 + 0.5 * 2 = 0, then 3 + 0.5 * 2 = 4.
  EXPECT_THAT(TwoSteps({.lr = 0.5, .weight_decay = 0.5}), ElementsAre(2.0f, 0.0f));
}

TEST(SgdTest, TheRateCanBeSetBetweenSteps) {
  Tensor parameter = F32({1}, {1});
  Sgd sgd({parameter}, {.lr = 1.0});
  EXPECT_EQ(sgd.lr(), 1.0);
  sgd.set_lr(0.25);
  EXPECT_EQ(sgd.lr(), 0.25);
  parameter.set_grad(F32({2}, {1}));
  sgd.Step();
  EXPECT_EQ(parameter.data<float>()[0], 0.5f);
}

TEST(SgdTest, BadOptionsAreErrors) {
  const std::vector<Tensor> parameters{F32({1}, {1})};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NO_THROW(Sgd(parameters, {.lr = 0}));
  for (const SgdOptions& bad :
       {SgdOptions{.lr = -1}, SgdOptions{.lr = nan}, SgdOptions{.momentum = -0.1}, SgdOptions{.momentum = 1.0},
        SgdOptions{.momentum = nan}, SgdOptions{.weight_decay = -0.1}, SgdOptions{.weight_decay = nan}}) {
    EXPECT_THROW(Sgd(parameters, bad), Error) << bad.lr << " " << bad.momentum << " " << bad.weight_decay;
  }
  EXPECT_THAT([&] { Sgd(parameters, {.lr = -1}); }, ThrowsMessage<Error>(HasSubstr("lr -1")));
  EXPECT_THAT([&] { Sgd(parameters, {.nesterov = true}); }, ThrowsMessage<Error>(HasSubstr("nesterov")));
  EXPECT_THAT([&] { Sgd(parameters, {.momentum = -1, .nesterov = true}); },
              ThrowsMessage<Error>("Sgd: momentum -1, expected a number in [0, 1)"));
}

}  // namespace
}  // namespace twofour::optim
