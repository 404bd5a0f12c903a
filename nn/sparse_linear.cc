#include "twofour/nn/sparse_linear.h"

#include <fmt/format.h>

#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/nn/forward_observer.h"

namespace twofour::nn {

SparseLinear::SparseLinear(std::shared_ptr<const sparse::InferenceWeight> weight, Tensor bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {
  if (weight_ == nullptr) throw Error("SparseLinear: the weight is null, expected one");
  if (bias_.defined() && (bias_.dtype() != DType::kF32 || bias_.shape() != Shape{weight_->rows()})) {
    throw Error(fmt::format("SparseLinear: bias {}, expected f32 [{}]", Describe(bias_), weight_->rows()));
  }
}

std::vector<NamedTensor> SparseLinear::Buffers() {
  std::vector<NamedTensor> buffers = {{"weight", weight_->Unpack()}};
  if (bias_.defined()) buffers.push_back({"bias", bias_});
  return buffers;
}

Tensor SparseLinear::Forward(const Tensor& x) {
  if (GradEnabled() && x.defined() && x.requires_grad()) {
    throw Error("SparseLinear: is for inference alone, but its input requires a gradient; expected a NoGradGuard");
  }
  Tensor y = weight_->Multiply(x, bias_);
  ObserveLinear(*this, x);
  return y;
}

}  // namespace twofour::nn
