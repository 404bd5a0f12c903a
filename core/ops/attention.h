#pragma once

#include "twofour/core/tensor.h"

namespace twofour {

struct AttentionOptions {
  int64_t window = 0;  ///< A query sees the last `window` keys, itself included; 0: all before it.
  double scale = 0;    ///< Of the scores; 0: 1/sqrt(head_size).
  int64_t keys = 0;  ///< Tk: how many of the keys and values count, the first ones; 0: all. A cache has room for more.
};

/// Causal softmax attention: q [batch, Tq, heads, head_size], k and v [batch, Tk, kv_heads, head_size], Tq <= Tk, heads
/// a multiple of kv_heads (query head h reads kv head h / (heads / kv_heads); Ainslie et al., "GQA", 2023). Query i
/// stands at position Tk - Tq + i: with a cache of keys and values, the queries are the newest. Result like q.
///
/// Computed in blocks (Dao, "FlashAttention-2", 2023). Saved for the backward pass are the inputs, the result and
/// [batch, heads, Tq] log-sums; no [heads, Tq, Tk] tensor exists at any time, and memory is linear in Tq and Tk. What a
/// query does not see must be finite all the same: its weight is 0, and 0 times infinity would spoil the result.
Tensor CausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options = {});

}  // namespace twofour
