#include "twofour/nn/linear.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/nn/forward_observer.h"

namespace twofour::nn {

Linear::Linear(const LinearOptions& options, Generator& generator) {
  if (options.in_features < 1 || options.out_features < 1) {
    throw Error(fmt::format("Linear: in_features {} and out_features {}, both must be positive", options.in_features,
                            options.out_features));
  }
  const auto [in, out] = std::pair(options.in_features, options.out_features);
  weight_ = RegisterParameter("weight", options.init.Weight(out, in, generator));
  if (options.bias) bias_ = RegisterParameter("bias", options.init.Bias(out, in, generator));
}

Linear::Linear(Tensor weight, Tensor bias) {
  ops::RequireF32OrF64("Linear", "weight", weight);
  if (weight.rank() != 2) {
    throw Error(fmt::format("Linear: weight {}, expected [out_features, in_features]", ToString(weight.shape())));
  }
  if (bias.defined() && (bias.shape() != Shape{weight.dim(0)} || bias.dtype() != weight.dtype())) {
    throw Error(
        fmt::format("Linear: bias {}, expected {} [{}]", Describe(bias), NameOf(weight.dtype()), weight.dim(0)));
  }
  weight_ = RegisterParameter("weight", std::move(weight));
  bias_ = RegisterParameter("bias", std::move(bias));
}

Tensor Linear::Forward(const Tensor& x) {
  Tensor y = twofour::Linear(x, weight_, bias_);
  ObserveLinear(*this, x);
  return y;
}

}  // namespace twofour::nn
