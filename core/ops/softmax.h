#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// exp(x) / sum(exp(x)) over the last dimension of x [..., features].
Tensor Softmax(const Tensor& x);
/// x - log(sum(exp(x))) over the last dimension of x [..., features].
Tensor LogSoftmax(const Tensor& x);

}  // namespace ops
}  // namespace twofour
