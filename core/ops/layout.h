#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

// The same elements in another arrangement. Tensors may be of any dtype; integers and bools have no gradient. A
// negative axis counts from the end. Each op throws Error where there is no such dimension.

/// The same elements under another shape with as many elements; shares them. One size may be -1: it follows from the
/// others.
Tensor Reshape(const Tensor& x, Shape shape);

/// A copy with two dimensions exchanged: of a matrix, its transpose.
Tensor Transpose(const Tensor& x, int first_axis = -2, int second_axis = -1);

/// The tensors one after another along an axis. They must have one dtype, and equal sizes in all other dimensions.
Tensor Concat(const std::vector<Tensor>& tensors, int axis = 0);

/// A copy of the indices [begin, end) of a dimension. Negative indices count from its end: Slice(x, 0, -2, x.dim(0))
/// has the last two. Throws Error unless 0 <= begin <= end <= the size of the dimension, after that.
Tensor Slice(const Tensor& x, int axis, int64_t begin, int64_t end);

}  // namespace ops
}  // namespace twofour
