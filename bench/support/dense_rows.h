#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::bench {

/// y [rows] = W x for a dense row-major W [rows, cols], on all threads, with nothing but loads and multiply-adds: about
/// as fast as W can be read. Libraries may lack such a product for bf16. cols is a multiple of 32.
void MultiplyDenseRows(int64_t rows, int64_t cols, const float* weight, const float* x, float* y);
void MultiplyDenseRows(int64_t rows, int64_t cols, const BFloat16* weight, const float* x, float* y);

}  // namespace twofour::bench
