#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "twofour/core/kernels/attention/attention_loops.h"

namespace twofour::kernels::loops {

// The overloads for double of attention_loops.h, as plain loops.

inline void OnlineSoftmax(const ScoreBlock& block, double scale, double* scores, double* highest, double* sum,
                          int64_t width, double* result) {
  for (int64_t r = 0; r < block.rows; ++r) {
    double* const row = scores + r * block.stride;
    const int64_t begin = block.Begin(r), end = block.End(r);
    double top = highest[r];
    for (int64_t i = begin; i < end; ++i) top = std::max(top, row[i] * scale);
    const double shift = std::isinf(top) && top < 0 ? 0.0 : top, shrink = std::exp(highest[r] - shift);
    sum[r] *= shrink;
    for (int64_t i = 0; i < width; ++i) result[r * width + i] *= shrink;
    for (int64_t i = 0; i < block.cols; ++i) {
      row[i] = begin <= i && i < end ? std::exp(row[i] * scale - shift) : 0.0;
      sum[r] += row[i];
    }
    highest[r] = top;
  }
}

inline void SoftmaxFromLogSum(const ScoreBlock& block, double scale, const double* log_sum, const double* mean_grad,
                              double* scores, double* grads) {
  for (int64_t r = 0; r < block.rows; ++r) {
    const int64_t begin = block.Begin(r), end = block.End(r);
    for (int64_t i = 0; i < block.cols; ++i) {
      const bool seen = begin <= i && i < end;
      const int64_t at = r * block.stride + i;
      scores[at] = seen ? std::exp(scores[at] * scale - log_sum[r]) : 0.0;
      if (grads != nullptr) grads[at] = seen ? scores[at] * (grads[at] - mean_grad[r]) * scale : 0.0;
    }
  }
}

}  // namespace twofour::kernels::loops
