#pragma once

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// The input of a linear. Observers ask for what they need, because it may have to be computed.
class LinearInput {
 public:
  virtual ~LinearInput() = default;
  /// f32 [..., in_features], outside any graph.
  virtual Tensor Values() const = 0;
  /// Share of elements that are not zero; 1 if there are none.
  virtual double Density() const = 0;
};

/// Sees the forward passes of linears and of blocks. It is for telemetry, and for pruning that needs activations
/// (Wanda, SparseGPT).
class ForwardObserver {
 public:
  virtual ~ForwardObserver() = default;
  /// Called for every Linear, SemiSparseLinear and SemiSparseActivationLinear in a forward pass, in the order of the
  /// pass. This includes linears that an op on several linears computes as its parts. `input` is the input of the
  /// linear. It lives only as long as the call.
  virtual void OnLinear(const Module& linear, const LinearInput& input) = 0;
  /// Called for every block between which features pass (those of Gpt and ResidualMlp), after the linears in it. Both
  /// tensors have the shape [..., width].
  virtual void OnBlock(const Module& /*block*/, const Tensor& /*input*/, const Tensor& /*output*/) {}
};

/// While it lives, `observer` sees the forward passes of all models on this thread, and none on other threads. Scopes
/// may overlap. They may begin and end within OnLinear: an observer that is added then sees the next linear, and one
/// that is removed is called no more. A scope must end on the thread on which it began.
class ForwardObserverScope {
 public:
  explicit ForwardObserverScope(ForwardObserver& observer);
  ~ForwardObserverScope();
  ForwardObserverScope(const ForwardObserverScope&) = delete;
  ForwardObserverScope& operator=(const ForwardObserverScope&) = delete;

 private:
  ForwardObserver& observer_;
};

/// Whether anybody observes this thread's forward passes. An op that would have to prepare an input asks this first.
bool IsForwardObserved();
/// Tells this thread's observers of a pass through `linear`.
void ObserveLinear(const Module& linear, const LinearInput& input);
/// The same for an input that exists as a tensor. Costs nothing if nobody observes.
void ObserveLinear(const Module& linear, const Tensor& input);
/// Tells this thread's observers of a pass through `block`.
void ObserveBlock(const Module& block, const Tensor& input, const Tensor& output);

}  // namespace twofour::nn
