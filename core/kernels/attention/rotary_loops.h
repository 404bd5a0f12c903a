#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels::loops {

/// Turns the pairs (x[i], x[half + i]), i in [0, half), of each row of x [rows, 2 half], on the calling thread.
/// Products and sums are not fused, so all instruction sets give the same bits.
void Rotate(int64_t rows, int64_t half, const float* cosines, const float* sines, const float* x, float* y);
void Rotate(int64_t rows, int64_t half, const float* cosines, const float* sines, const BFloat16* x, BFloat16* y);

}  // namespace twofour::kernels::loops
