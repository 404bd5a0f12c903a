#include "twofour/nn/init.h"

#include <cmath>

#include "twofour/core/faults.h"

namespace twofour::nn {
namespace {

thread_local int unset_scopes = 0;

Tensor UniformTensor(Shape shape, double bound, const RandomKey& key) {
  Tensor tensor = Tensor::Zeros(std::move(shape));
  if (bound > 0) FillUniform(tensor, -bound, bound, key);
  return tensor;
}

double PyTorchBound(int64_t in_features) {
  return in_features > 0 ? 1.0 / std::sqrt(static_cast<double>(in_features)) : 0.0;
}

}  // namespace

LinearInit::LinearInit(Kind kind, double std) : kind_(kind), std_(std) {
  Faults faults("LinearInit: ");
  faults.FloatAtLeast("std", std, 0);
  faults.Throw();
}

// Every kind takes a key, so that other layers' values do not depend on the kind.

Tensor LinearInit::Weight(int64_t out_features, int64_t in_features, Generator& generator) const {
  const RandomKey key = generator.NextKey();
  Shape shape{out_features, in_features};
  if (unset_scopes > 0) return Tensor::Empty(std::move(shape));
  if (kind_ == Kind::kNormal) {
    Tensor weight = Tensor::Empty(std::move(shape));
    FillNormal(weight, 0.0, std_, key);
    return weight;
  }
  const double bound = kind_ == Kind::kUniform ? std::sqrt(3.0) * std_ : PyTorchBound(in_features);
  return UniformTensor(std::move(shape), bound, key);
}

UnsetWeightsScope::UnsetWeightsScope() { ++unset_scopes; }

UnsetWeightsScope::~UnsetWeightsScope() { --unset_scopes; }

Tensor LinearInit::Bias(int64_t out_features, int64_t in_features, Generator& generator) const {
  const double bound = kind_ == Kind::kPyTorchDefault ? PyTorchBound(in_features) : 0.0;
  return UniformTensor({out_features}, bound, generator.NextKey());
}

}  // namespace twofour::nn
