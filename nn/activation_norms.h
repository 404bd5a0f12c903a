#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// Collects how large each input feature of each linear is, for scores that weigh weights by it. Sums of squares are
/// kept in double.
class ActivationNorms : public ForwardObserver {
 public:
  void OnLinear(const Module& linear, const LinearInput& input) override;

  /// Whether a forward pass went through this linear.
  bool HasSeen(const Module& linear) const { return sums_.contains(&linear); }
  /// The Euclidean norm of each input feature over all samples (or tokens) seen, f32 [in_features]. Throws Error if
  /// no forward pass went through the linear.
  Tensor NormsOf(const Module& linear) const;

 private:
  std::map<const Module*, std::vector<double>> sums_;
};

}  // namespace twofour::nn
