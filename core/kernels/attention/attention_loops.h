#pragma once

#include <algorithm>
#include <cstdint>

namespace twofour::kernels::loops {

/// A block of attention scores [rows, cols]. Row r sees those of the columns [r + low, r + high) that exist.
struct ScoreBlock {
  int64_t rows = 0, cols = 0;
  int64_t low = 0, high = 0;
  /// Elements from one row to the next: a multiple of kScoreAlignment.
  int64_t stride = 0;

  int64_t Begin(int64_t row) const { return std::clamp<int64_t>(row + low, 0, cols); }
  int64_t End(int64_t row) const { return std::clamp<int64_t>(row + high, Begin(row), cols); }
};

/// Rows of scores are read and written in whole vectors, up to the next multiple of this after the last column.
inline constexpr int64_t kScoreAlignment = 16;

/// A softmax that gets its rows one block of columns at a time (Milakov and Gimelshein, "Online normalizer calculation
/// for softmax", 2018). Scores become exp(scale * score - highest), and 0 where they are not seen. highest [rows] is
/// the largest scaled score so far; begin with -infinity. sum [rows] is the sum of the exponentials so far; begin with
/// 0. result [rows, width] is what the caller adds up with the exponentials as weights. As `highest` grows, sum and
/// result shrink.
void OnlineSoftmax(const ScoreBlock& block, float scale, float* scores, float* highest, float* sum, int64_t width,
                   float* result);

/// Scores become probabilities exp(scale * score - log_sum). Their gradients `grads`, which are laid out like the
/// scores, become those of the scores: probability * (grad - mean_grad) * scale. Both become 0 where scores are not
/// seen. log_sum and mean_grad are [rows]. grads may be null.
void SoftmaxFromLogSum(const ScoreBlock& block, float scale, const float* log_sum, const float* mean_grad,
                       float* scores, float* grads);

}  // namespace twofour::kernels::loops
