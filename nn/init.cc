#include "twofour/nn/init.h"

#include <cmath>

namespace twofour::nn {
namespace {

Tensor Init(LinearInit init, Shape shape, int64_t in_features, Generator& generator) {
  const RandomKey key =
      generator.NextKey();  // Taken whatever the initialiser: other layers' values do not depend on it.
  Tensor tensor = Tensor::Zeros(std::move(shape));
  if (init == LinearInit::kPyTorchDefault && in_features > 0) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(in_features));
    FillUniform(tensor, -bound, bound, key);
  }
  return tensor;
}

}  // namespace

Tensor InitLinearWeight(LinearInit init, int64_t out_features, int64_t in_features, Generator& generator) {
  return Init(init, {out_features, in_features}, in_features, generator);
}

Tensor InitLinearBias(LinearInit init, int64_t out_features, int64_t in_features, Generator& generator) {
  return Init(init, {out_features}, in_features, generator);
}

}  // namespace twofour::nn
