#include "twofour/optim/muon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "twofour/core/error.h"

#include "tests/optim/singular_values.h"
#include "tests/optim/trajectory.h"

namespace twofour::optim {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::Fixture;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(MuonTest, AgreesWithPyTorch) {
  const Fixture fixture("muon");
  for (const std::string variant : {"nesterov", "plain"}) {
    const auto parameters = test::InitialParameters(fixture, {"tall", "wide", "square"});
    const auto number = [&](const std::string& key) { return fixture.Number(variant + "." + key); };
    Muon muon({{parameters, number("weight_decay")}}, {.lr = number("lr"),
                                                       .momentum = number("momentum"),
                                                       .nesterov = fixture.Flag(variant + ".nesterov"),
                                                       .ns_steps = static_cast<int>(number("ns_steps"))});
    test::ExpectTrajectory(muon, parameters, fixture, variant + ".");
  }
}

/// The update rule by singular values, in double.
class Reference {
 public:
  Reference(const Tensor& parameter, const MuonOptions& options)
      : parameter_(test::ToEigen(parameter)),
        buffer_(Eigen::MatrixXd::Zero(parameter_.rows(), parameter_.cols())),
        options_(options) {}
  const Eigen::MatrixXd& Step(const Eigen::MatrixXd& grad) {
    const double mu = options_.momentum;
    buffer_ = mu * buffer_ + (1 - mu) * grad;
    Eigen::MatrixXd direction = buffer_;
    if (options_.nesterov) direction = mu * buffer_ + (1 - mu) * grad;
    const double stretch =
        std::sqrt(std::max(1.0, static_cast<double>(grad.rows()) / static_cast<double>(grad.cols())));
    parameter_ *= 1 - options_.lr * options_.weight_decay;
    parameter_ -= options_.lr * stretch * test::OrthogonalizeBySvd(direction, options_.ns_steps);
    return parameter_;
  }

 private:
  Eigen::MatrixXd parameter_, buffer_;
  MuonOptions options_;
};

TEST(MuonTest, FollowsTheRule) {
  for (const MuonOptions& options :
       {MuonOptions{}, MuonOptions{.lr = 0.1, .momentum = 0.5, .nesterov = false, .ns_steps = 3, .weight_decay = 0.3},
        MuonOptions{.lr = 0.05, .momentum = 0, .weight_decay = 0.1}}) {
    for (const Shape& shape : {Shape{40, 12}, Shape{12, 40}, Shape{16, 16}, Shape{1, 6}, Shape{6, 1}, Shape{1, 1}}) {
      Tensor parameter = RandomF32(shape, {.seed = 1});
      Reference reference(parameter, options);
      Muon muon({parameter}, options);
      for (uint64_t step = 0; step < 5; ++step) {
        SCOPED_TRACE(ToString(shape) + ", lr " + std::to_string(options.lr) + ", step " + std::to_string(step));
        parameter.set_grad(RandomF32(shape, {.seed = 2, .step = step}));
        muon.Step();
        ExpectClose(parameter, test::ToTensor(reference.Step(test::ToEigen(parameter.grad()))), 1e-4, 1e-4);
      }
    }
  }
}

/// The steps that gradients make with a [1, 1] parameter, divided by 0.701. With a rate of 1, a step is the sign of its
/// direction after one Newton-Schulz step: 3.4445 - 4.7750 + 2.0315 = 0.701.
std::vector<float> SignsOfSteps(const std::vector<float>& grads, const MuonOptions& options) {
  Tensor parameter = Tensor::Zeros({1, 1});
  Muon muon({parameter}, options);
  std::vector<float> steps;
  for (float grad : grads) {
    const float before = parameter.data<float>()[0];
    parameter.set_grad(F32({grad}, {1, 1}));
    muon.Step();
    steps.push_back((before - parameter.data<float>()[0]) / 0.701f);
  }
  return steps;
}

TEST(MuonTest, HandComputedMomentum) {
  using ::testing::ElementsAre;
  using ::testing::FloatNear;
  const auto plus = FloatNear(1.0f, 1e-4f), minus = FloatNear(-1.0f, 1e-4f);
  const std::vector<float> grads{1.0f, -0.5f, -0.75f};
  EXPECT_THAT(SignsOfSteps(grads, {.lr = 1, .momentum = 0, .ns_steps = 1}), ElementsAre(plus, minus, minus));
  // The buffer is 0.1, 0.04, -0.039.
  EXPECT_THAT(SignsOfSteps(grads, {.lr = 1, .momentum = 0.9, .nesterov = false, .ns_steps = 1}),
              ElementsAre(plus, plus, minus));
  // 0.1 g + 0.9 buffer: 0.19, -0.014, -0.11.
  EXPECT_THAT(SignsOfSteps(grads, {.lr = 1, .momentum = 0.9, .ns_steps = 1}), ElementsAre(plus, minus, minus));
}

TEST(MuonTest, AZeroGradientOnlyDecays) {
  for (const Shape& shape : {Shape{4, 3}, Shape{3, 4}, Shape{3, 3}}) {
    Tensor parameter = Tensor::Full(shape, 2);
    Muon muon({parameter}, {.lr = 0.5, .weight_decay = 0.5});
    parameter.set_grad(Tensor::Zeros(shape));
    muon.Step();
    ExpectBitEqual(parameter, Tensor::Full(shape, 1.5));
  }
}

TEST(MuonTest, TheGradientsSizeDoesNotMatter) {
  for (float scale : {1e-3f, 1e10f}) {
    Tensor parameter = Tensor::Zeros({2, 2});
    Muon muon({parameter}, {.lr = 1});
    parameter.set_grad(F32({scale, 0, 0, -scale}, {2, 2}));
    muon.Step();
    const double value = test::OrthogonalizeBySvd(Eigen::MatrixXd::Identity(2, 2), 5)(0, 0);
    ExpectClose(parameter, F32({static_cast<float>(-value), 0, 0, static_cast<float>(value)}, {2, 2}), 1e-3);
  }
}

TEST(MuonTest, GroupsScaleTheRateAndItsDecay) {
  Tensor scaled = RandomF32({6, 4}, {.seed = 1}), alone = scaled.Clone();
  Muon muon({{{{"scaled", scaled}}, 0.5, 0.25}}, {.lr = 0.2}), slow({{{{"alone", alone}}, 0.5}}, {.lr = 0.05});
  for (Tensor* tensor : {&scaled, &alone}) tensor->set_grad(RandomF32({6, 4}, {.seed = 2}));
  muon.Step();
  slow.Step();
  ExpectBitEqual(scaled, alone);
}

TEST(MuonTest, ParametersMustBeMatrices) {
  for (const Shape& shape : {Shape{}, Shape{4}, Shape{2, 2, 2}}) {
    EXPECT_THAT(
        [&] {
          Muon({{{{"h.0.scale", Tensor::Zeros(shape)}}}}, {});
        },
        ThrowsMessage<Error>(AllOf(HasSubstr("'h.0.scale'"), HasSubstr(ToString(shape)))));
  }
}

TEST(MuonTest, BadOptionsAreErrors) {
  const std::vector<Tensor> parameters{Tensor::Zeros({2, 2})};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NO_THROW(Muon(parameters, {.lr = 0, .momentum = 0, .ns_steps = 1}));
  for (const MuonOptions& bad :
       {MuonOptions{.lr = -1}, MuonOptions{.lr = nan}, MuonOptions{.momentum = -0.1}, MuonOptions{.momentum = 1.0},
        MuonOptions{.momentum = nan}, MuonOptions{.ns_steps = 0}, MuonOptions{.ns_steps = -1},
        MuonOptions{.weight_decay = -0.1}, MuonOptions{.weight_decay = nan}}) {
    EXPECT_THROW(Muon(parameters, bad), Error)
        << bad.lr << " " << bad.momentum << " " << bad.ns_steps << " " << bad.weight_decay;
  }
  EXPECT_THAT([&] { Muon(parameters, {.ns_steps = 0}); }, ThrowsMessage<Error>(HasSubstr("ns_steps 0")));
}

}  // namespace
}  // namespace twofour::optim
