#pragma once

#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// Throws Error (a runtime failure) that says `name`, where and what when an element of f32 `weight` [rows, cols] is
/// NaN or infinite: no mask can be found for it.
void RequireFinite(const Tensor& weight, std::string_view name);

}  // namespace twofour::sparse
