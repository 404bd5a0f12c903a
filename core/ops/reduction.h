#pragma once

#include <cstdint>

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

// Sums are taken in double, in an order that depends on the sizes only, and rounded once to the dtype of x.

/// The sum of all elements, shape [].
Tensor Sum(const Tensor& x);
/// The mean of all elements, shape []; 0 where there are none.
Tensor Mean(const Tensor& x);

/// The sums over one dimension of x; a negative axis counts from the end. The dimension is left out of the result's
/// shape, or with keep_dim has size 1, so that the result can be stretched to x again. Throws Error where x has no such
/// dimension.
Tensor Sum(const Tensor& x, int axis, bool keep_dim = false);
/// The means over one dimension; 0 where it is empty.
Tensor Mean(const Tensor& x, int axis, bool keep_dim = false);

}  // namespace ops
}  // namespace twofour
