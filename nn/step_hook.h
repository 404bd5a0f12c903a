#pragma once

#include <cstdint>

namespace twofour::nn {

/// An optimizer step under way.
struct StepContext {
  int64_t step = 0;  ///< Number of steps before it.
  double lr = 0;     ///< The learning rate of this step.
};

/// Something that acts around each optimizer step. A training loop such as train::Trainer calls, in this order:
/// BeforeStep before the first forward pass; AfterBackward when all gradients are there; BeforeUpdate after it has
/// clipped them (if it does); AfterUpdate after the optimizer's step; AfterStep when the step counts as made. Like an
/// optimizer's step, none of these calls may run beside a forward or backward pass.
class StepHook {
 public:
  virtual ~StepHook() = default;
  virtual void BeforeStep(const StepContext& /*step*/) {}
  virtual void AfterBackward(const StepContext& /*step*/) {}
  virtual void BeforeUpdate(const StepContext& /*step*/) {}
  virtual void AfterUpdate(const StepContext& /*step*/) {}
  virtual void AfterStep(const StepContext& /*step*/) {}
};

}  // namespace twofour::nn
