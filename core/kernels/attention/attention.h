#pragma once

#include <cstdint>
#include <type_traits>

#include "twofour/core/half.h"

namespace twofour::kernels {

/// Query i stands at position keys - queries + i among the keys. It sees the last `window` keys up to its own position.
struct AttentionProblem {
  int64_t batch = 0, queries = 0, keys = 0;
  int64_t key_capacity = 0;  ///< Rows of k and v for each item of the batch. Only the first `keys` count.
  int64_t heads = 0, kv_heads = 0, head_size = 0;
  int64_t window = 0;  ///< From 1 to keys.
  double scale = 1;    ///< Multiplies the scores.
};

/// Sizes of the blocks of scores that a thread holds at once, in the forward and in the backward pass.
inline constexpr int64_t kAttentionQueries = 64, kAttentionKeys = 128;
inline constexpr int64_t kAttentionGradQueries = 128, kAttentionGradKeys = 64;

/// The type of scores, of what is added up, and of log_sums for activations of type T.
template <typename T>
using AttentionSum = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;

/// Causal softmax attention (see ops/attention.h). T is float, BFloat16 or double. With BFloat16, exponentials and
/// gradients of scores are rounded to bf16 where they are operands of products (see Gemm), and results are rounded
/// once. q and out are [batch, queries, heads, head_size]. k and v are [batch, key_capacity, kv_heads, head_size].
/// log_sums [batch, heads, queries] becomes the logarithms of the sums of exponentials. The only other memory that is
/// used is a block of scores for each thread.
template <typename T>
void CausalAttention(const AttentionProblem& problem, const T* q, const T* k, const T* v, T* out,
                     AttentionSum<T>* log_sums);

/// Computes gradients from the output's gradient and from what the forward pass computed. Pass null for a gradient that
/// is not wanted.
template <typename T>
void CausalAttentionGrad(const AttentionProblem& problem, const T* q, const T* k, const T* v, const T* out,
                         const AttentionSum<T>* log_sums, const T* dout, T* dq, T* dk, T* dv);

}  // namespace twofour::kernels
