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

/// Measures a model's layers during a step: what their masks keep, how dense their inputs are, and what share of the
/// gradient falls on masked weights. It only observes the forward passes of steps that it measures.
class Telemetry : public nn::StepHook, private nn::ForwardObserver {
 public:
  /// Measures every `every_steps`-th step; 0 measures none. The model must outlive this object, and none of its layers
  /// may be swapped meanwhile.
  Telemetry(nn::Module& model, int64_t every_steps);

  nn::ForwardObserver* Observer(const nn::StepContext& step) override;
  /// Must be called before anything drops the gradients of masked weights.
  void AfterBackward(const nn::StepContext& step) override;

  /// What the last step's measurements say of the layers with masks and of the MLPs, as numbers that several processes
  /// can put together: how dense inputs were in the last forward pass, and shares of gradients. A NaN stands for a
  /// layer that saw no input. As many each time.
  struct Numbers {
    std::vector<double> densities = {};               ///< Of the process that made the step's last forward pass.
    std::vector<double> masked_gradient_shares = {};  ///< 0 where there was no gradient. To be added up.
  };
  Numbers numbers() const;
  void SetNumbers(const Numbers& numbers);
  bool Measures(const nn::StepContext& step) const;

  /// Hands the measurements of the last step to `sink`, under the number `step`. This refreshes the masks, so that the
  /// flip rates are those of that step.
  void Record(int64_t step, MetricSink& sink) const;

 private:
  void OnLinear(const nn::Module& linear, const nn::LinearInput& input) override;
  double DensityOf(const nn::Module& linear) const;
  /// The linears that are observed, in an order that is the same in all processes.
  std::vector<const nn::Module*> Observed() const;

  int64_t every_steps_;
  std::vector<nn::NamedSemiSparseLinear> layers_;
  std::vector<std::pair<std::string, const nn::Mlp*>> mlps_;
  std::map<const nn::Module*, std::optional<double>> densities_;  // For each linear that is observed.
  std::vector<double> masked_gradient_shares_;                    // For each of layers_.
};

}  // namespace twofour::train
