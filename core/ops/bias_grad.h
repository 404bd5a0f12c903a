#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// The gradient of a bias that was added to each row of an output: `dy` [..., out_features], summed over all rows. It
/// has the dtype of `dy`, or is f32 where that is f16 or bf16.
Tensor BiasGrad(const Tensor& dy);

}  // namespace ops
}  // namespace twofour
