#pragma once

#include <cstddef>
#include <cstdint>

#include "twofour/core/dtype.h"

namespace twofour::kernels {

/// Writes n elements of one dtype as elements of another, by the rules of Cast, on all threads. `x` and `out` must not
/// overlap.
void Convert(int64_t n, DType from, const std::byte* x, DType to, std::byte* out);

}  // namespace twofour::kernels
