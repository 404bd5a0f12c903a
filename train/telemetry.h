#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/nn/forward_observer.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/module.h"
#include "twofour/nn/step_hook.h"
#include "twofour/nn/swap.h"
#include "twofour/train/metrics.h"

namespace twofour::train {

/// Measures what there is to know of a model's layers in a step: what their masks keep, how dense their inputs are,
/// what share of the gradient falls on masked weights. It observes the forward passes of steps that are measured, and
/// no others.
class Telemetry : public nn::StepHook, private nn::ForwardObserver {
 public:
  /// Measures every `every_steps`-th step; none where it is 0. The model must live on and stay swapped as it is.
  Telemetry(nn::Module& model, int64_t every_steps);

  void BeforeStep(const nn::StepContext& step) override;
  /// To be called before anything drops the gradients of masked weights.
  void AfterBackward(const nn::StepContext& step) override;

  /// Hands the measurements of the step that was made last to `sink`, as of `step`. Masks are refreshed for it, so
  /// that flip rates are those of the step just made.
  void Record(int64_t step, MetricSink& sink) const;

 private:
  void OnLinear(const nn::Module& linear, const nn::LinearInput& input) override;
  double DensityOf(const nn::Module& linear) const;

  int64_t every_steps_;
  std::vector<nn::NamedSemiSparseLinear> layers_;
  std::vector<std::pair<std::string, const nn::Mlp*>> mlps_;
  std::map<const nn::Module*, std::optional<double>> densities_;  // Of the linears that it looks at.
  std::vector<double> masked_gradient_shares_;                    // Of each of layers_.
  std::optional<nn::ForwardObserverScope> observing_;
};

}  // namespace twofour::train
