#pragma once

#include <map>

#include "twofour/nn/forward_observer.h"
#include "twofour/nn/module.h"
#include "twofour/sparse/prune/input_statistics.h"

namespace twofour::nn {

/// Collects what the inputs of linears are like in the forward passes of one optimizer step.
class StepInputs : public ForwardObserver {
 public:
  using Extents = std::map<const Module*, sparse::InputStatistics::Extent>;

  /// Of these linears.
  explicit StepInputs(Extents extents) : extents_(std::move(extents)) {}
  /// A pass whose inputs are not all finite does not count: it is the business of whoever looks at the loss.
  void OnLinear(const Module& linear, const LinearInput& input) override;

  /// Null if no forward pass went through the linear.
  const sparse::InputStatistics* Of(const Module& linear) const;
  /// Forgets all that it has seen.
  void Clear() { statistics_.clear(); }

 private:
  Extents extents_;
  std::map<const Module*, sparse::InputStatistics> statistics_;
};

}  // namespace twofour::nn
