#pragma once

#include <optional>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/nn/mlp.h"
#include "twofour/optim/adamw.h"

#include "bench/peers/mlp_step.h"

namespace twofour::bench {

inline MlpParameters ParametersOf(const nn::Module& mlp) {
  const std::vector<Tensor> parameters = mlp.Parameters();
  return {parameters.at(0), parameters.at(1), parameters.at(2), parameters.at(3)};
}

inline MlpParameters GradientsOf(const nn::Module& mlp) {
  const MlpParameters p = ParametersOf(mlp);
  return {p.c_fc_weight.grad(), p.c_fc_bias.grad(), p.c_proj_weight.grad(), p.c_proj_bias.grad()};
}

/// A step by twofour, through autograd.
class TwofourMlpStep {
 public:
  TwofourMlpStep(nn::Mlp& mlp, const Tensor& x, const Tensor& dy, bool adamw) : mlp_(mlp), x_(x.Clone()), dy_(dy) {
    x_.set_requires_grad();
    // With a rate of 0 the weights never change, so every step is the same step. AdamW's work does not depend on it.
    if (adamw) adamw_.emplace(mlp.Parameters(), optim::AdamWOptions{.lr = 0, .weight_decay = 0});
  }

  void Run() {
    x_.ZeroGrad();
    for (Tensor& parameter : mlp_.Parameters()) {
      parameter.ZeroGrad();
      // Like an optimizer's write: makes masks and packed weights out of date.
      if (!adamw_) parameter.mutable_data<float>();
    }
    y_ = mlp_.Forward(x_);
    y_.Backward(dy_);
    if (adamw_) adamw_->Step();
  }

  const Tensor& y() const { return y_; }
  const Tensor& dx() const { return x_.grad(); }
  MlpParameters gradients() const { return GradientsOf(mlp_); }

 private:
  nn::Mlp& mlp_;
  Tensor x_, dy_, y_;
  std::optional<optim::AdamW> adamw_;
};

}  // namespace twofour::bench
