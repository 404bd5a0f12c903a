#pragma once

#include "twofour/core/tensor.h"

namespace twofour::bench {

// How far a result is from another one that was computed in another order. Both are [rows, cols] or one row, in f32,
// and not empty. The difference to a NaN is infinite.

/// The largest difference of two elements, as a share of the largest element of `expected`.
double ElementDifference(const Tensor& actual, const Tensor& expected);

/// The largest difference of two rows by the 2-norm, as a share of the row's norm in `expected`. This share stays near
/// the size of a rounding error, however large elements are and however many rounded terms each is a sum of. Rows that
/// are far smaller than the others may differ by more, because they are what is left of terms that cancelled.
double RowDifference(const Tensor& actual, const Tensor& expected);

}  // namespace twofour::bench
