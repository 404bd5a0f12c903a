#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

struct AttentionOptions {
  int64_t window = 0;  ///< A query sees the last `window` keys, itself included; 0: all before it.
  double scale = 0;    ///< Factor of the scores; 0: 1/sqrt(head_size).
  int64_t keys = 0;    ///< Tk: only the first `keys` keys and values count; 0: all. A cache has room for more.
};

/// Causal softmax attention: q [batch, Tq, heads, head_size], k and v [batch, Tk, kv_heads, head_size], Tq <= Tk, heads
/// a multiple of kv_heads (query head h reads kv head h / (heads / kv_heads); Ainslie et al., "GQA", 2023). Query i is
/// at position Tk - Tq + i, because with a cache of keys and values the queries are the newest tokens. The result has
/// the shape of q.
///
/// Computed in blocks (Dao, "FlashAttention-2", 2023). The inputs, the result and [batch, heads, Tq] log-sums are saved
/// for the backward pass. No [heads, Tq, Tk] tensor exists at any time, and memory is linear in Tq and Tk. Keys and
/// values that a query does not see must be finite, too: their weight is 0, and 0 times infinity would spoil the
/// result.
Tensor CausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options = {});

}  // namespace ops
}  // namespace twofour
