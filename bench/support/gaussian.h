#pragma once

#include <cstdint>

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

namespace twofour::bench {

/// A matrix of standard normal numbers. The same key gives the same numbers.
inline Tensor Gaussian(int64_t rows, int64_t cols, const RandomKey& key) {
  Tensor tensor = Tensor::Empty({rows, cols});
  FillNormal(tensor, 0, 1, key);
  return tensor;
}

}  // namespace twofour::bench
