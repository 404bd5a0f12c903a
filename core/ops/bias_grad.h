#pragma once

#include "twofour/core/tensor.h"

namespace twofour::inline ops {

/// The gradient of a bias that was added to each row of an output: `dy` [..., out_features] (f32 or f64), summed over
/// all rows.
Tensor BiasGrad(const Tensor& dy);

}  // namespace twofour::inline ops
