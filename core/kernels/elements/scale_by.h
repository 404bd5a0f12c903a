#pragma once

#include <cstdint>

namespace twofour::kernels {

/// out = factor * a for factors of 0 or more that may be too small for a float, as what brings gradients near the
/// largest floats down to a norm of 1: in steps that lose nothing but what the result cannot hold. The bits of Scale
/// where a float holds the factor. `out` may be `a`.
void ScaleBy(int64_t n, double factor, const float* a, float* out);

}  // namespace twofour::kernels
