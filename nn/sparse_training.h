#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/nn/step_hook.h"
#include "twofour/nn/step_inputs.h"
#include "twofour/nn/swap.h"

namespace twofour::nn {

/// Whether a layer drops the gradient of what its mask drops, in a step that begins with the mask in force.
bool DropsMaskedGradient(const SemiSparseLinear& layer);

/// Does what the options of a model's SemiSparseLinears ask for around each optimizer step. A training loop may leave
/// it out if there is no masked decay, no frozen gradient, no plan that depends on steps and no score that needs inputs
/// or gradients.
class SparseTraining : public StepHook {
 public:
  /// Finds the layers of `model`. The model must outlive this object, and no layer may be swapped meanwhile.
  explicit SparseTraining(Module& model);

  /// Tells the layers how many optimizer steps there were. Call it before the first BeforeStep and after a restart.
  void SetOptimizerStep(int64_t step);

  /// Tells the layers the step.
  void BeforeStep(const StepContext& step) override;
  /// Collects the inputs of layers whose score needs them and whose masks still change. Null if there are none.
  ForwardObserver* Observer(const StepContext& step) override;
  /// Hands what scores need to know about inputs and gradients to the layers whose masks still change: a step that
  /// fails earlier leaves no trace. Drops the gradient of masked weights if the mask and the gradient are
  /// frozen. Adds the decay that is part of the gradient.
  void AfterBackward(const StepContext& step) override;

  // For a step whose batch is cut into shards, several processes' perhaps, whose sums must be added up in an order that
  // does not depend on the processes: what AfterBackward would hand over to layers goes through the caller.

  /// The elements of each of layers()' sums; 0 for those that need none in this step.
  std::vector<int64_t> InputSumsSizes() const;
  /// What layers()' scores need to know about the inputs since the step began or this was called last; undefined where
  /// there was no forward pass.
  std::vector<Tensor> TakeInputSums();
  /// What AfterBackward hands over: one for each of layers(), undefined for none.
  void SetInputSums(std::vector<Tensor> sums) { input_sums_ = std::move(sums); }

  /// Adds the decay that goes through the optimizer's moments.
  void BeforeUpdate(const StepContext& step) override;
  /// Subtracts the decay that is separate from the optimizer, times the learning rate. Uses the mask of the last
  /// forward pass. Skips weights without a gradient, as the optimizer does. Then tells the layers that there was a
  /// step.
  void AfterUpdate(const StepContext& step) override;

  /// Lets all masks be found anew at their next use: those in force are another plan's. Not where they are frozen.
  void SearchAnew();
  /// Searches for the masks that are due and packs the weights, which the next forward pass would otherwise do.
  void RefreshMasks();

  const std::vector<NamedSemiSparseLinear>& layers() const { return layers_; }

 private:
  void DecayGradients(MaskedDecay::Place place);

  std::vector<NamedSemiSparseLinear> layers_;
  StepInputs inputs_;               // Of the step under way.
  std::vector<Tensor> input_sums_;  // The same from elsewhere; empty: inputs_ counts.
};

}  // namespace twofour::nn
