#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "twofour/core/parallel.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/scores/require_inputs.h"

namespace twofour::sparse {

/// function(|w|, column) for each entry of f32 `weight` [rows, cols], as f32. Throws Error (a runtime failure) if a
/// float cannot hold one.
template <typename Function>
Tensor ScoresByColumn(MaskScore score, const Tensor& weight, std::string_view name, const Function& function) {
  Tensor scores = Tensor::Empty(weight.shape());
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  const float* const from = weight.data<float>();
  float* const to = scores.mutable_data<float>();
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        const double magnitude = std::fabs(static_cast<double>(from[row * cols + col]));
        to[row * cols + col] = static_cast<float>(function(magnitude, col));
      }
    }
  });
  RequireScoresHeld(score, scores, name);
  return scores;
}

/// function(|w|, index) in the same way.
template <typename Function>
Tensor ScoresByElement(MaskScore score, const Tensor& weight, std::string_view name, const Function& function) {
  Tensor scores = Tensor::Empty(weight.shape());
  const float* const from = weight.data<float>();
  float* const to = scores.mutable_data<float>();
  ParallelFor(weight.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      to[i] = static_cast<float>(function(std::fabs(static_cast<double>(from[i])), i));
    }
  });
  RequireScoresHeld(score, scores, name);
  return scores;
}

}  // namespace twofour::sparse
