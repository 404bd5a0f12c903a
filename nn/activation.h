#pragma once

#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::nn {

/// The function between the linears of an MLP. kSwiGlu takes a second linear as a gate (see Mlp).
enum class Activation { kReluSquared, kRelu, kGelu, kSwiGlu };

/// "relu_squared", "relu", "gelu", "swiglu".
std::string_view NameOf(Activation activation);

/// Throws Error for kSwiGlu, which is no function of one tensor.
Tensor Activate(Activation activation, const Tensor& x);

}  // namespace twofour::nn
