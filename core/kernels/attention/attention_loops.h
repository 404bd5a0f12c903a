#pragma once

#include <algorithm>
#include <cstdint>

namespace twofour::kernels::loops {

/// A block of attention scores [rows, cols], of which row r sees columns [r + low, r + high), as far as they exist.
struct ScoreBlock {
  int64_t rows = 0, cols = 0;
  int64_t low = 0, high = 0;
  /// Elements from one row to the next: a multiple of kScoreAlignment.
  int64_t stride = 0;

  int64_t Begin(int64_t row) const { return std::clamp<int64_t>(row + low, 0, cols); }
  int64_t End(int64_t row) const { return std::clamp<int64_t>(row + high, Begin(row), cols); }
};

/// Rows of scores are read and written in whole vectors: up to the next multiple of this behind the last column.
inline constexpr int64_t kScoreAlignment = 16;

/// A softmax that meets its rows a block of columns at a time (Milakov and Gimelshein, "Online normalizer calculation
/// for softmax", 2018). Scores become exp(scale * score - highest), and 0 where they are not seen. highest [rows] is
/// the largest scaled score so far (begin with -infinity), sum [rows] that of the exponentials (begin with 0); sum and
/// result [rows, width], which is summed with the exponentials as weights, shrink as `highest` grows.
void OnlineSoftmax(const ScoreBlock& block, float scale, float* scores, float* highest, float* sum, int64_t width,
                   float* result);

/// Scores become probabilities exp(scale * score - log_sum), and their gradients `grads` (laid out as the scores are)
/// become those of the scores, probability * (grad - mean_grad) * scale; both 0 where they are not seen. log_sum and
/// mean_grad are [rows]; grads may be null.
void SoftmaxFromLogSum(const ScoreBlock& block, float scale, const float* log_sum, const float* mean_grad,
                       float* scores, float* grads);

}  // namespace twofour::kernels::loops
