#pragma once

#include <algorithm>
#include <cstdint>

#include "twofour/core/kernels/attention/attention.h"
#include "twofour/core/kernels/attention/attention_loops.h"

namespace twofour::kernels {

/// Rows of a matrix that lie `stride` elements apart. `data` is null where there is no such matrix.
template <typename T>
struct Rows {
  T* data = nullptr;
  int64_t stride = 0;

  Rows From(int64_t row) const { return {data + row * stride, stride}; }
};

/// Where the rows of a head lie, and which keys a query sees.
struct AttentionLayout : AttentionProblem {
  explicit AttentionLayout(const AttentionProblem& problem) : AttentionProblem(problem) {}

  /// Add this to a position among the queries to get the same position among the keys.
  int64_t offset() const { return keys - queries; }
  /// How many heads of queries read one head of keys.
  int64_t group() const { return heads / kv_heads; }

  /// The rows of one head of q, out or one of their gradients.
  template <typename T>
  Rows<T> OfQueries(T* q, int64_t item, int64_t head) const {
    return {q == nullptr ? q : q + (item * queries * heads + head) * head_size, heads * head_size};
  }
  /// The rows of one head of k, v or one of their gradients.
  template <typename T>
  Rows<T> OfKeys(T* k, int64_t item, int64_t kv_head) const {
    return {k == nullptr ? k : k + (item * key_capacity * kv_heads + kv_head) * head_size, kv_heads * head_size};
  }

  /// A query sees keys [FirstKey, BehindLastKey).
  int64_t FirstKey(int64_t query) const { return std::max<int64_t>(offset() + query - window + 1, 0); }
  int64_t BehindLastKey(int64_t query) const { return offset() + query + 1; }
  /// A key is seen by queries [FirstQuery, BehindLastQuery).
  int64_t FirstQuery(int64_t key) const { return std::clamp<int64_t>(key - offset(), 0, queries); }
  int64_t BehindLastQuery(int64_t key) const { return std::clamp<int64_t>(key + window - offset(), 0, queries); }

  /// The block of scores of queries [query, query + rows) and keys [key, key + cols).
  loops::ScoreBlock Block(int64_t query, int64_t rows, int64_t key, int64_t cols, int64_t stride) const {
    const int64_t behind = BehindLastKey(query) - key;
    return {.rows = rows, .cols = cols, .low = behind - window, .high = behind, .stride = stride};
  }
};

}  // namespace twofour::kernels
