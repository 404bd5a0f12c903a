#pragma once

#include <cstdint>

namespace twofour::kernels {

/// out = factor * a, for a factor >= 0 that may be too small for a float. Such a factor scales gradients near the
/// largest floats down to a norm of 1. The product is taken in steps that lose only what the result cannot hold. If a
/// float can hold the factor, the bits are those of Scale. `out` may be `a`.
void ScaleBy(int64_t n, double factor, const float* a, float* out);

}  // namespace twofour::kernels
