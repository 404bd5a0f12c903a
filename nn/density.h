#pragma once

#include "twofour/core/tensor.h"

namespace twofour::nn {

/// Share of the elements of a floating tensor that are not zero; 1 if there are none.
double NonZeroShare(const Tensor& tensor);

}  // namespace twofour::nn
