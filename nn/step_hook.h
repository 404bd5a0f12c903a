#pragma once

#include <cstdint>

namespace twofour::nn {

/// An optimizer step under way.
struct StepContext {
  int64_t step = 0;  ///< How many were made before it.
  double lr = 0;     ///< The learning rate that the optimizer takes it with.
};

/// Something that acts around each optimizer step. A training loop calls, in this order: BeforeStep before the first
/// forward pass; AfterBackward when all gradients are there; then it clips them, if it does; BeforeUpdate; the
/// optimizer's step; AfterUpdate; AfterStep when the step counts. train::Trainer does. As an optimizer's, none of these
/// calls may run beside a forward or backward pass.
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
