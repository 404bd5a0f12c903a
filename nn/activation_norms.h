#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// Collects how large each input feature of each linear is, for scores that weigh weights by it. Sums of squares are
/// kept in double.
class ActivationNorms : public ForwardObserver {
 public:
  /// Of the linears for which `wanted` is true; of all if it is empty.
  explicit ActivationNorms(std::function<bool(const Module& linear)> wanted = {}) : wanted_(std::move(wanted)) {}
  void OnLinear(const Module& linear, const LinearInput& input) override;

  /// Whether a forward pass went through this linear.
  bool HasSeen(const Module& linear) const { return sums_.contains(&linear); }
  /// The Euclidean norm of each input feature over all samples (or tokens) seen, f32 [in_features]. Throws Error if
  /// no forward pass went through the linear.
  Tensor NormsOf(const Module& linear) const;
  /// Forgets all that it has seen.
  void Clear() { sums_.clear(); }

 private:
  std::function<bool(const Module&)> wanted_;
  std::map<const Module*, std::vector<double>> sums_;
};

}  // namespace twofour::nn
