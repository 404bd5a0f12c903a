#pragma once

#include <cstdint>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/nn/step_hook.h"
#include "twofour/nn/swap.h"

namespace twofour::nn {

/// What the options of a model's SemiSparseLinears ask for around each optimizer step. Without masked decay, a frozen
/// gradient and plans that go by steps, a training loop may leave it out.
class SparseTraining : public StepHook {
 public:
  /// Finds the layers of `model`, which must live on and stay swapped as it is.
  explicit SparseTraining(Module& model);

  /// How many optimizer steps there were: for what comes before the first BeforeStep, and after a restart.
  void SetOptimizerStep(int64_t step);

  /// Tells the layers of the step.
  void BeforeStep(const StepContext& step) override;
  /// Drops the gradient of masked weights where the mask and the gradient are frozen; adds the decay that is part of
  /// the gradient.
  void AfterBackward(const StepContext& step) override;
  /// Adds the decay that is to pass through the optimizer's moments.
  void BeforeUpdate(const StepContext& step) override;
  /// Takes away the decay that is apart from the optimizer, times the learning rate. Uses the mask of the last forward
  /// pass. As the optimizer does, passes over weights without a gradient. Then tells the layers that there was a step.
  void AfterUpdate(const StepContext& step) override;

  const std::vector<NamedSemiSparseLinear>& layers() const { return layers_; }

 private:
  void DecayGradients(MaskedDecay::Place place);

  std::vector<NamedSemiSparseLinear> layers_;
};

}  // namespace twofour::nn
