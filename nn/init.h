#pragma once

#include <cstdint>

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

namespace twofour::nn {

/// How a linear's weight and bias start.
enum class LinearInit {
  kPyTorchDefault,  ///< Both uniform in +-1/sqrt(in_features): PyTorch's kaiming_uniform_(a = sqrt(5)).
  kZero,            ///< Both zero: a residual branch that ends in such a linear starts as the identity.
};

/// A new weight [out_features, in_features].
Tensor InitLinearWeight(LinearInit init, int64_t out_features, int64_t in_features, Generator& generator);
/// A new bias [out_features] of a linear that reads `in_features`.
Tensor InitLinearBias(LinearInit init, int64_t out_features, int64_t in_features, Generator& generator);

}  // namespace twofour::nn
