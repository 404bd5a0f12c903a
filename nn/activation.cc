#include "twofour/nn/activation.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/activation.h"

namespace twofour::nn {

std::string_view NameOf(Activation activation) {
  switch (activation) {
    case Activation::kReluSquared:
      return "relu_squared";
    case Activation::kRelu:
      return "relu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kSwiGlu:
      return "swiglu";
    case Activation::kGeluTanh:
      return "gelu_tanh";
  }
  return "?";
}

void CheckUngated(Activation activation, const std::string& path, Faults& faults) {
  const auto word = [&](Activation one) { return faults.Word(NameOf(one)); };
  faults.Expect(activation != Activation::kSwiGlu, path, word(activation),
                fmt::format("one that needs no gate: {}, {}, {} or {}", word(Activation::kReluSquared),
                            word(Activation::kRelu), word(Activation::kGelu), word(Activation::kGeluTanh)));
}

Tensor Activate(Activation activation, const Tensor& x) {
  switch (activation) {
    case Activation::kReluSquared:
      return ReluSquared(x);
    case Activation::kRelu:
      return Relu(x);
    case Activation::kGelu:
      return Gelu(x);
    case Activation::kGeluTanh:
      return GeluTanh(x);
    case Activation::kSwiGlu:
      throw Error("Activate: swiglu needs a gate beside its input; nn::Mlp has one");
  }
  return x;
}

}  // namespace twofour::nn
