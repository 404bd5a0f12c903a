#include "twofour/nn/lora_linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"

namespace twofour::nn {

void Check(const LoraOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("rank"), options.rank, 1, kMaxFeatures);
  faults.PositiveFloat(at("alpha"), options.alpha);
}

LoraLinear::LoraLinear(Tensor weight, Tensor bias, const SemiSparseOptions& sparsity, const LoraOptions& lora,
                       const RandomKey& key, std::string name)
    : SemiSparseLinear(std::move(weight), std::move(bias), sparsity, name) {
  Checked(lora, "LoraLinear: ");
  if (sparsity.soft_threshold) throw Error("LoraLinear: soft_threshold, expected masks that leave weights as they are");
  if (sparse::NeedsOf(sparsity.score).gradients) {
    throw Error(fmt::format("LoraLinear: score {}, expected one that needs no gradients: the weight is frozen",
                            NameOf(sparsity.score)));
  }
  if (const int64_t most = std::min(out_features(), in_features()); lora.rank > most) {
    throw Error(fmt::format("LoraLinear: rank {} for {} {}, expected at most {}, its smaller side", lora.rank, name,
                            ToString(this->weight().shape()), most));
  }
  for (Tensor frozen : {this->weight(), this->bias()}) {
    if (frozen.defined()) frozen.set_requires_grad(false);
  }
  Tensor a = Tensor::Empty({lora.rank, in_features()});
  const double bound = 1 / std::sqrt(static_cast<double>(in_features()));
  FillUniform(a, -bound, bound, key);
  factors_ = {.a = RegisterParameter("lora_A.weight", std::move(a)),
              .b = RegisterParameter("lora_B.weight", Tensor::Zeros({out_features(), lora.rank})),
              .scale = lora.scale()};
}

Tensor LoraLinear::DenseWeight() {
  const uint64_t w = weight().version(), a = factors_.a.version(), b = factors_.b.version();
  if (!sum_.defined() || w != weight_version_ || a != a_version_ || b != b_version_) {
    const NoGradGuard no_grad;
    sum_ = sparse::AddLowRank(weight(), factors_);
    weight_version_ = w;
    a_version_ = a;
    b_version_ = b;
  }
  return sum_;
}

Tensor LoraLinear::WeightInGraph(const sparse::Mask* mask) {
  return sparse::LowRankHandle(DenseWeight(), factors_, mask);
}

void LoraLinear::Merge() {
  Tensor merged = weight(), b = factors_.b;
  merged.CopyFrom(DenseWeight());
  b.CopyFrom(Tensor::Zeros(b.shape()));
}

}  // namespace twofour::nn
