#pragma once

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// Zeroes each element with probability `p` and scales the rest by 1 / (1 - p). Only `key` decides which elements. p
/// lies in [0, 1]; with 1 everything is zero. Srivastava et al., "Dropout", 2014.
Tensor Dropout(const Tensor& x, double p, const RandomKey& key);

}  // namespace ops
}  // namespace twofour
