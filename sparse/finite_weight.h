#pragma once

#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// Throws Error (a runtime failure) if an element of f32 `weight` [rows, cols] is NaN or infinite, because no mask can
/// be found then. The message says `name`, where the element is and what it is.
void RequireFinite(const Tensor& weight, std::string_view name);

}  // namespace twofour::sparse
