#include "twofour/nn/linear.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/nn/forward_observer.h"

namespace twofour::nn {

void Check(const LinearOptions& options, const FieldPath& at, Faults& faults) {
  const int64_t in = options.in_features, out = options.out_features;
  const std::string in_code = fmt::format("in_features {} and out_features {}, both must be positive", in, out);
  faults.Expect(in >= 1, at("in_features"), in, "at least 1", in_code);
  faults.Expect(out >= 1, at("out_features"), out, "at least 1", in_code);
}

Linear::Linear(const LinearOptions& options, Generator& generator) {
  Checked(options, "Linear: ");
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

Tensor Linear::Forward(const Tensor& x) { return Forward(x, std::nullopt); }

Tensor Linear::Forward(const Tensor& x, std::optional<DType> result) {
  Tensor y = rounding_ == nullptr ? ops::Linear(x, weight_, bias_, result)
                                  : rounding_->Forward(x, weight_, bias_, nullptr, training(), result);
  ObserveLinear(*this, x);
  return y;
}

void Linear::OnStep(uint64_t step) {
  if (rounding_ != nullptr) rounding_->SetStep(step);
}

}  // namespace twofour::nn
