#pragma once

#include <map>

#include "twofour/nn/forward_observer.h"

namespace twofour::test {

/// Remembers how dense the input of each linear was in the last forward pass observed.
class InputDensities : public nn::ForwardObserver {
 public:
  void OnLinear(const nn::Module& linear, const nn::LinearInput& input) override {
    densities_[&linear] = input.Density();
  }
  /// Throws std::out_of_range for a linear that was not seen.
  double Of(const nn::Module& linear) const { return densities_.at(&linear); }
  size_t count() const { return densities_.size(); }

 private:
  std::map<const nn::Module*, double> densities_;
};

}  // namespace twofour::test
