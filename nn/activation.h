#pragma once

#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::nn {

/// The function between the linears of an MLP.
enum class Activation { kReluSquared, kRelu, kGelu };

/// "relu_squared", "relu", "gelu".
std::string_view NameOf(Activation activation);

Tensor Activate(Activation activation, const Tensor& x);

}  // namespace twofour::nn
