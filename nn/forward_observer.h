#pragma once

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// What goes into a linear. Observers ask for what they need, since it may have to be computed.
class LinearInput {
 public:
  virtual ~LinearInput() = default;
  /// f32 [..., in_features], without a history.
  virtual Tensor Values() const = 0;
  /// Share of elements that are not zero; 1 where there are none.
  virtual double Density() const = 0;
};

/// Sees the forward passes of linears: for telemetry, and for pruning that needs to know activations (Wanda,
/// SparseGPT).
class ForwardObserver {
 public:
  virtual ~ForwardObserver() = default;
  /// Called by every Linear, SemiSparseLinear and SemiSparseActivationLinear in a forward pass, also by those that an
  /// op on several linears computes as its parts, in the order of the pass. `input` is what comes into the linear,
  /// and lives as long as the call.
  virtual void OnLinear(const Module& linear, const LinearInput& input) = 0;
};

/// As long as it lives, `observer` sees the forward passes that this thread makes, of all models; other threads' are
/// not seen. Scopes may overlap. Must end on the thread that it began on.
class ForwardObserverScope {
 public:
  explicit ForwardObserverScope(ForwardObserver& observer);
  ~ForwardObserverScope();
  ForwardObserverScope(const ForwardObserverScope&) = delete;
  ForwardObserverScope& operator=(const ForwardObserverScope&) = delete;

 private:
  ForwardObserver& observer_;
};

/// Whether anybody sees this thread's forward passes: an op that would have to prepare an input asks first.
bool IsForwardObserved();
/// Tells this thread's observers of a pass through `linear`.
void ObserveLinear(const Module& linear, const LinearInput& input);
/// The same for an input that lies there as a tensor. Costs nothing where nobody observes.
void ObserveLinear(const Module& linear, const Tensor& input);

}  // namespace twofour::nn
