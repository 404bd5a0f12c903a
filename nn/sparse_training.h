#pragma once

#include <cstdint>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"

namespace twofour::nn {

/// What the options of a model's SemiSparseLinears ask for around each optimizer step. A training loop calls, in this
/// order: SetOptimizerStep before the first forward pass; after the backward passes AfterBackward; then it clips the
/// gradients, if it does; BeforeUpdate; the optimizer's step; AfterUpdate; SetOptimizerStep. Trainer does. Without
/// masked decay, a frozen gradient and plans that go by steps, all of this may be left out. As an optimizer's, none of
/// these calls may run beside a forward or backward pass.
class SparseTraining {
 public:
  /// Finds the layers of `model`, which must live on and stay swapped as it is.
  explicit SparseTraining(Module& model);

  /// How many optimizer steps there were.
  void SetOptimizerStep(int64_t step);
  /// Drops the gradient of masked weights where the mask and the gradient are frozen; adds the decay that is part of
  /// the gradient.
  void AfterBackward();
  /// Adds the decay that is to pass through the optimizer's moments.
  void BeforeUpdate();
  /// Takes away the decay that is apart from the optimizer, times `lr`. Uses the mask of the last forward pass. As the
  /// optimizer does, passes over weights without a gradient.
  void AfterUpdate(double lr);

  const std::vector<NamedSemiSparseLinear>& layers() const { return layers_; }

 private:
  void DecayGradients(MaskedDecay::Place place);

  std::vector<NamedSemiSparseLinear> layers_;
};

}  // namespace twofour::nn
