#pragma once

#include <cstdint>

namespace twofour::nn {

class ForwardObserver;

/// An optimizer step under way.
struct StepContext {
  int64_t step = 0;  ///< Number of steps before it.
  double lr = 0;     ///< The learning rate of this step.
};

/// Something that acts around each optimizer step. A training loop such as train::Trainer makes these calls, in this
/// order:
/// - BeforeStep: before the first forward pass.
/// - Observer: after BeforeStep of all hooks.
/// - AfterBackward: all micro-batches are done and the gradients are complete, but not clipped yet.
/// - BeforeUpdate: just before the optimizer's step. If the loop clips gradients, they are clipped now.
/// - AfterUpdate: after the optimizer's step.
/// - AfterStep: the step counts as made.
/// Like an optimizer's step, none of these calls may run beside a forward or backward pass. A call may throw, which
/// ends the training: docs/architecture.md ("Step hooks") says what train::Trainer still saves then.
class StepHook {
 public:
  virtual ~StepHook() = default;
  virtual void BeforeStep(const StepContext& /*step*/) {}
  /// What watches the forward passes of this step; null: nothing. The loop opens the ForwardObserverScope and closes it
  /// before AfterBackward, also when a pass throws. So no observer is left behind on a thread.
  virtual ForwardObserver* Observer(const StepContext& /*step*/) { return nullptr; }
  virtual void AfterBackward(const StepContext& /*step*/) {}
  virtual void BeforeUpdate(const StepContext& /*step*/) {}
  virtual void AfterUpdate(const StepContext& /*step*/) {}
  virtual void AfterStep(const StepContext& /*step*/) {}
};

}  // namespace twofour::nn
