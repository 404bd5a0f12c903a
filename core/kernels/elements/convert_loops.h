#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels::loops {

// The conversions of BFloat16, for whole arrays and on the calling thread. All instruction sets give the same bits.

void Convert(int64_t n, const float* x, BFloat16* out);
void Convert(int64_t n, const BFloat16* x, float* out);

}  // namespace twofour::kernels::loops
