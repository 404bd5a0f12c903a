#pragma once

#include <string>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::train {

/// Throws Error (a runtime failure) "<what> is <value>; ..." that names the first parameter or gradient that holds a
/// NaN or infinity; where all are finite, the parameter with the largest element.
[[noreturn]] void ThrowNotFinite(const std::string& what, double value, const std::vector<NamedTensor>& parameters);

/// Throws Error (a runtime failure) naming the first f32 parameter that holds a NaN or infinity.
void RequireFinite(const std::vector<NamedTensor>& parameters);

}  // namespace twofour::train
