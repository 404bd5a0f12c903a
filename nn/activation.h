#pragma once

#include <string>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"

namespace twofour::nn {

/// The function between the linears of an MLP. kSwiGlu takes a second linear as a gate (see Mlp).
enum class Activation { kReluSquared, kRelu, kGelu, kSwiGlu, kGeluTanh };

/// "relu_squared", "relu", "gelu", "swiglu", "gelu_tanh".
std::string_view NameOf(Activation activation);

/// The rule for models whose activations are functions of one tensor: not kSwiGlu.
void CheckUngated(Activation activation, const std::string& path, Faults& faults);

/// Throws Error for kSwiGlu, which is no function of one tensor.
Tensor Activate(Activation activation, const Tensor& x);

}  // namespace twofour::nn
