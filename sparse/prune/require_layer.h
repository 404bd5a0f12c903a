#pragma once

#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// Throws Error unless `weight` is f32 [out, in] and `gram` f64 [in, in].
void RequireLayer(std::string_view op, std::string_view name, const Tensor& weight, const Tensor& gram);

}  // namespace twofour::sparse
