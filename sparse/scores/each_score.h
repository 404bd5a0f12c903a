#pragma once

#include <cmath>
#include <cstdint>

#include "twofour/core/parallel.h"
#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// score(|w|, column) for each entry of f32 `weight` [rows, cols], as f32.
template <typename Score>
Tensor ScoresByColumn(const Tensor& weight, const Score& score) {
  Tensor scores = Tensor::Empty(weight.shape());
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  const float* const from = weight.data<float>();
  float* const to = scores.mutable_data<float>();
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        const double magnitude = std::fabs(static_cast<double>(from[row * cols + col]));
        to[row * cols + col] = static_cast<float>(score(magnitude, col));
      }
    }
  });
  return scores;
}

/// score(|w|, index) for each element of f32 `weight`, as f32.
template <typename Score>
Tensor ScoresByElement(const Tensor& weight, const Score& score) {
  Tensor scores = Tensor::Empty(weight.shape());
  const float* const from = weight.data<float>();
  float* const to = scores.mutable_data<float>();
  ParallelFor(weight.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      to[i] = static_cast<float>(score(std::fabs(static_cast<double>(from[i])), i));
    }
  });
  return scores;
}

}  // namespace twofour::sparse
