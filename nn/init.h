#pragma once

#include <cstdint>

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

namespace twofour::nn {

/// How a linear's weight and bias start.
class LinearInit {
 public:
  /// Both uniform in +-1/sqrt(in_features): PyTorch's kaiming_uniform_(a = sqrt(5)).
  static LinearInit PyTorchDefault() { return {Kind::kPyTorchDefault, 0}; }
  /// Both zero, so that a residual block whose branch ends in such a linear starts as the identity.
  static LinearInit Zero() { return {Kind::kUniform, 0}; }
  /// The weight uniform around 0 with standard deviation `std`, that is in +-sqrt(3) std; the bias zero.
  /// Throws Error unless a float can hold `std` and it is not negative, as Normal does.
  static LinearInit Uniform(double std) { return {Kind::kUniform, std}; }
  /// The weight normal around 0 with standard deviation `std`; the bias zero.
  static LinearInit Normal(double std) { return {Kind::kNormal, std}; }

  /// A new weight [out_features, in_features].
  Tensor Weight(int64_t out_features, int64_t in_features, Generator& generator) const;
  /// A new bias [out_features] of a linear that reads `in_features`.
  Tensor Bias(int64_t out_features, int64_t in_features, Generator& generator) const;

 private:
  enum class Kind { kPyTorchDefault, kUniform, kNormal };
  LinearInit(Kind kind, double std);

  Kind kind_;
  double std_;
};

/// While it lives, the weights of linears that are made on this thread have no particular elements, because others are
/// about to take their place. Such memory is never written to, so large weights take none. Scopes may be nested.
class UnsetWeightsScope {
 public:
  UnsetWeightsScope();
  ~UnsetWeightsScope();
  UnsetWeightsScope(const UnsetWeightsScope&) = delete;
  UnsetWeightsScope& operator=(const UnsetWeightsScope&) = delete;
};

}  // namespace twofour::nn
