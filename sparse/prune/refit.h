#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// Changes the weights that a mask keeps so that a linear's outputs come nearer to those of a dense weight: `steps` of
/// conjugate gradients for the least ||X (W - W')^T||^2 over all W' under the mask, from `start` on, preconditioned by
/// the diagonal of H. Each row has a problem of its own. `gram` f64 [in, in] is H = X^T X, dampened or not; features
/// whose diagonal is 0 keep their weights. Weights are f32 [out, in]; `start` is 0 where the mask drops.
///
/// Computed in double. A row is done when a step does not lower its error, which happens where H is nearly singular and
/// all that is left is rounding; and a row whose error is not below that of `start` once it is rounded to float stays
/// as it was. So no error rises. Throws Error on other tensors.
Tensor RefitKept(const Tensor& weight, const Tensor& start, const Mask& mask, const Tensor& gram, int64_t steps,
                 std::string_view name = "weight");

}  // namespace twofour::sparse
