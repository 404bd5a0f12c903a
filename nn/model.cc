#include "twofour/nn/model.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/cast.h"
#include "twofour/nn/linear.h"

namespace twofour::nn {

void Model::SetActivationDType(DType dtype) {
  // Gradients of f16 would need a scale for the loss, which nothing here provides.
  if (dtype != DType::kF32 && dtype != DType::kBF16) {
    throw Error(fmt::format("{}: activations of {}, expected f32 or bf16", type_name(), NameOf(dtype)));
  }
  activation_dtype_ = dtype;
}

Tensor Model::FromInput(const Tensor& x) const {
  return x.defined() && x.dtype() == DType::kF32 ? Cast(x, activation_dtype_) : x;
}

Tensor Model::Logits(Module& head, const Tensor& x) const {
  if (activation_dtype_ == DType::kF32) return head.Forward(x);
  if (auto* const linear = dynamic_cast<Linear*>(&head)) return linear->Forward(x, DType::kF32);
  return Cast(head.Forward(x), DType::kF32);
}

}  // namespace twofour::nn
