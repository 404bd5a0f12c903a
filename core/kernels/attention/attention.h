#pragma once

#include <cstdint>

namespace twofour::kernels {

/// Query i stands at position keys - queries + i and sees the last `window` keys up to its own.
struct AttentionProblem {
  int64_t batch = 0, queries = 0, keys = 0;
  int64_t key_capacity = 0;  ///< Rows of k and v for each item of the batch, of which the first `keys` count.
  int64_t heads = 0, kv_heads = 0, head_size = 0;
  int64_t window = 0;  ///< From 1 to keys.
  double scale = 1;    ///< Of the scores.
};

/// Sizes of the blocks of scores that are held at once, forward and backward.
inline constexpr int64_t kAttentionQueries = 64, kAttentionKeys = 128;
inline constexpr int64_t kAttentionGradQueries = 128, kAttentionGradKeys = 64;

/// Causal softmax attention (see ops/attention.h); T is float or double. q and out are [batch, queries, heads,
/// head_size], k and v [batch, key_capacity, kv_heads, head_size], log_sums [batch, heads, queries]: the logarithms of
/// the sums of exponentials. Beside them a block of scores for each thread is all the memory that is used.
template <typename T>
void CausalAttention(const AttentionProblem& problem, const T* q, const T* k, const T* v, T* out, T* log_sums);

/// Gradients from the output's gradient and what the forward pass left; null for one that is not wanted.
template <typename T>
void CausalAttentionGrad(const AttentionProblem& problem, const T* q, const T* k, const T* v, const T* out,
                         const T* log_sums, const T* dout, T* dq, T* dk, T* dv);

}  // namespace twofour::kernels
