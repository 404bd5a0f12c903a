#pragma once

#include <map>
#include <string>
#include <vector>

#include "twofour/nn/forward_observer.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// The least and the largest number of each feature of a linear's inputs so far, [in_features].
struct InputExtremes {
  std::vector<float> least, largest;

  /// The largest magnitude of each feature.
  std::vector<float> Magnitudes() const;
};

/// Collects them for the linears that are named here.
class ExtremesCollector : public ForwardObserver {
 public:
  explicit ExtremesCollector(std::map<const Module*, std::string> names) : names_(std::move(names)) {}
  /// Throws Error (a runtime failure) that names the linear if an element is not finite.
  void OnLinear(const Module& linear, const LinearInput& input) override;

  /// Throws Error if no forward pass went through the linear.
  const InputExtremes& Require(const Module& linear) const;

 private:
  std::map<const Module*, std::string> names_;
  std::map<const Module*, InputExtremes> extremes_;
};

}  // namespace twofour::nn
