#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels::loops {

// The conversions of BFloat16, for whole arrays and on the calling thread. All instruction sets give the same bits.

void Convert(int64_t n, const float* x, BFloat16* out);
void Convert(int64_t n, const BFloat16* x, float* out);
/// The same for rows of `cols` elements that lie x_stride and out_stride elements apart.
void ConvertRows(int64_t rows, int64_t cols, const float* x, int64_t x_stride, BFloat16* out, int64_t out_stride);

}  // namespace twofour::kernels::loops
