#pragma once

#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// Throws Error (a runtime failure) if an element of f32 `weight` [rows, cols] is NaN or infinite, because no mask can
/// be found then. The message gives `name`, and the place and value of the element.
void RequireFinite(const Tensor& weight, std::string_view name);

}  // namespace twofour::sparse
