#include "twofour/nn/layers.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/ops/dropout.h"
#include "twofour/core/ops/embedding.h"
#include "twofour/core/ops/norm.h"

namespace twofour::nn {

namespace {

void CheckNorm(std::string_view type, int64_t features, double eps) {
  if (features < 1) throw Error(fmt::format("{}: features is {}, must be positive", type, features));
  Faults faults(fmt::format("{}: ", type));
  faults.FloatAtLeast("eps", eps, 0);
  faults.Throw();
}

}  // namespace

RmsNorm::RmsNorm(int64_t features, double eps, bool weight) : eps_(eps) {
  CheckNorm(type_name(), features, eps);
  if (weight) weight_ = RegisterParameter("weight", Tensor::Full({features}, 1.0));
}

Tensor RmsNorm::Forward(const Tensor& x) { return ops::RmsNorm(x, weight_, eps_); }

LayerNorm::LayerNorm(int64_t features, double eps, bool bias) : eps_(eps) {
  CheckNorm(type_name(), features, eps);
  weight_ = RegisterParameter("weight", Tensor::Full({features}, 1.0));
  if (bias) bias_ = RegisterParameter("bias", Tensor::Zeros({features}));
}

Tensor LayerNorm::Forward(const Tensor& x) { return ops::LayerNorm(x, weight_, bias_, eps_); }

std::unique_ptr<Module> MakeNorm(NormKind kind, int64_t features, double eps) {
  if (kind == NormKind::kLayer) return std::make_unique<LayerNorm>(features, eps);
  return std::make_unique<RmsNorm>(features, eps, kind == NormKind::kWeightedRms);
}

Embedding::Embedding(int64_t entries, int64_t features, Generator& generator, double std) {
  if (entries < 1 || features < 1) {
    throw Error(fmt::format("Embedding: {} entries of {} features, both must be positive", entries, features));
  }
  Faults faults("Embedding: ");
  faults.FloatAtLeast("std", std, 0);
  faults.Throw();
  weight_ = RegisterParameter("weight", Tensor::Empty({entries, features}));
  FillNormal(weight_, 0.0, std, generator.NextKey());
}

Tensor Embedding::Forward(const Tensor& indices) { return ops::Embedding(indices, weight_); }

Dropout::Dropout(double p, Generator& generator) : p_(p), key_(generator.NextKey()), step_(key_.step) {
  if (!(p >= 0.0 && p <= 1.0)) throw Error(fmt::format("Dropout: p is {}, expected a probability in [0, 1]", p));
}

Tensor Dropout::Forward(const Tensor& x) {
  if (!training() || p_ == 0.0) return x;
  RandomKey key = key_;
  key.step = step_++;
  return ops::Dropout(x, p_, key);
}

void Dropout::OnStep(uint64_t step) { step_ = step; }

}  // namespace twofour::nn
