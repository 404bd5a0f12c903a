// Attention in blocks of scores that stay in the second-level cache, after Dao, "FlashAttention-2: Faster Attention
// with Better Parallelism and Work Partitioning", 2023.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <hwy/cache_control.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/attention/attention.h"
#include "twofour/core/kernels/attention/attention_loops.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/kernels/elements/reduce_loops_f64.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace loops {

// In double, plainly. static, not in an unnamed namespace: they are overloads of the f32 loops.

static void OnlineSoftmax(const ScoreBlock& block, double scale, double* scores, double* highest, double* sum,
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

static void SoftmaxFromLogSum(const ScoreBlock& block, double scale, const double* log_sum, const double* mean_grad,
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

}  // namespace loops

namespace {

/// Multiply-adds that are worth a thread.
constexpr int64_t kLeastWork = 64 * 64 * 64;
/// The backward pass is cut into at least so many units, where there are as many blocks of keys.
constexpr int64_t kGradUnits = 16;

/// Some rows of a matrix.
template <typename T>
struct Rows {
  T* data = nullptr;
  int64_t stride = 0;

  Rows From(int64_t row) const { return {data + row * stride, stride}; }
};

/// C = op(A) op(B), or C += op(A) op(B).
template <typename T>
void Multiply(int64_t m, int64_t n, int64_t k, Rows<const T> a, Transpose transpose_a, Rows<const T> b,
              Transpose transpose_b, Rows<T> c, bool accumulate) {
  GemmProblem<T> p;
  p.m = m, p.n = n, p.k = k;
  p.a = a.data, p.lda = a.stride, p.transpose_a = transpose_a;
  p.b = b.data, p.ldb = b.stride, p.transpose_b = transpose_b;
  p.c = c.data, p.ldc = c.stride, p.accumulate = accumulate;
  Gemm(p);
}

/// Where a head's rows lie, and which keys a query sees.
struct Layout : AttentionProblem {
  explicit Layout(const AttentionProblem& problem) : AttentionProblem(problem) {}

  /// Of a position in the sequence of keys less that in the sequence of queries.
  int64_t offset() const { return keys - queries; }
  int64_t group() const { return heads / kv_heads; }

  /// Rows of one head; of nothing where q is null.
  template <typename T>
  Rows<T> OfQueries(T* q, int64_t item, int64_t head) const {
    return {q == nullptr ? q : q + (item * queries * heads + head) * head_size, heads * head_size};
  }
  template <typename T>
  Rows<T> OfKeys(T* k, int64_t item, int64_t kv_head) const {
    return {k == nullptr ? k : k + (item * key_capacity * kv_heads + kv_head) * head_size, kv_heads * head_size};
  }

  /// The first key that a query sees, and the one behind the last.
  int64_t FirstKey(int64_t query) const { return std::max<int64_t>(offset() + query - window + 1, 0); }
  int64_t BehindLastKey(int64_t query) const { return offset() + query + 1; }
  /// The first query that sees a key, and the one behind the last.
  int64_t FirstQuery(int64_t key) const { return std::clamp<int64_t>(key - offset(), 0, queries); }
  int64_t BehindLastQuery(int64_t key) const { return std::clamp<int64_t>(key + window - offset(), 0, queries); }

  loops::ScoreBlock Block(int64_t query, int64_t rows, int64_t key, int64_t cols, int64_t stride) const {
    const int64_t behind = BehindLastKey(query) - key;
    return {.rows = rows, .cols = cols, .low = behind - window, .high = behind, .stride = stride};
  }
};

/// What one thread needs to attend from a block of queries.
template <typename T>
struct ForwardBuffers {
  explicit ForwardBuffers(int64_t head_size)
      : scores(kAttentionQueries * kAttentionKeys), result(kAttentionQueries * head_size) {}

  AlignedBuffer<T> scores, result;
  T highest[kAttentionQueries], sum[kAttentionQueries];
};

/// Fetches rows that are about to be read for the first and last time. They lie apart, one head of many, so that the
/// processor does not foresee it.
template <typename T>
void PrefetchRows(Rows<const T> rows, int64_t count, int64_t width) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < width; i += kLine) hwy::Prefetch(rows.From(r).data + i);
  }
}

/// `rows` queries of one head from number `query` on (or the only query of as many heads); `log_sums` is theirs.
template <typename T>
void AttendFrom(const Layout& p, int64_t query, int64_t rows, Rows<const T> q, Rows<const T> k, Rows<const T> v,
                Rows<T> out, T* log_sums, ForwardBuffers<T>& buffers) {
  T *const scores = buffers.scores.data(), *const result = buffers.result.data();
  std::fill_n(result, rows * p.head_size, T{0});
  std::fill_n(buffers.highest, rows, -std::numeric_limits<T>::infinity());
  std::fill_n(buffers.sum, rows, T{0});
  const int64_t end = p.queries == 1 ? p.keys : p.BehindLastKey(query + rows - 1);
  for (int64_t key = p.FirstKey(query); key < end; key += kAttentionKeys) {
    const int64_t cols = std::min(kAttentionKeys, end - key);
    if (p.queries == 1) PrefetchRows(v.From(key), cols, p.head_size);
    Multiply<T>(rows, cols, p.head_size, q.From(query), Transpose::kNo, k.From(key), Transpose::kYes,
                {scores, kAttentionKeys}, false);
    loops::ScoreBlock block = p.Block(query, rows, key, cols, kAttentionKeys);
    if (p.queries == 1) block.low = -rows, block.high = cols;  // All rows stand where the query does.
    loops::OnlineSoftmax(block, static_cast<T>(p.scale), scores, buffers.highest, buffers.sum, p.head_size, result);
    const int64_t next = key + cols;
    if (p.queries == 1 && next < end) PrefetchRows(k.From(next), std::min(kAttentionKeys, end - next), p.head_size);
    Multiply<T>(rows, p.head_size, cols, {scores, kAttentionKeys}, Transpose::kNo, v.From(key), Transpose::kNo,
                {result, p.head_size}, true);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const T share = T{1} / buffers.sum[r];
    const T* const from = result + r * p.head_size;
    std::transform(from, from + p.head_size, out.From(query + r).data, [share](T x) { return x * share; });
    log_sums[r] = buffers.highest[r] + std::log(buffers.sum[r]);
  }
}

/// The gradients of one head of keys and values and of the queries that read it.
template <typename T>
struct GradProblem {
  Rows<const T> k, v;
  Rows<T> dk, dv;  ///< Without data where not wanted.
};

/// One head of queries.
template <typename T>
struct QueryHead {
  Rows<const T> q, dout;
  Rows<T> dq;  ///< Without data where not wanted.
  const T *log_sums, *mean_grads;
};

template <typename T>
struct GradBuffers {
  AlignedBuffer<T> probabilities{kAttentionGradQueries * kAttentionGradKeys},
      grads{kAttentionGradQueries * kAttentionGradKeys};
};

/// Adds what the scores of one head of queries and `cols` keys from `key` on contribute to the gradients.
template <typename T>
void AddGrads(const Layout& p, int64_t key, int64_t cols, const GradProblem<T>& keys, const QueryHead<T>& head,
              GradBuffers<T>& buffers) {
  const Rows<T> probabilities{buffers.probabilities.data(), kAttentionGradKeys};
  const Rows<const T> weights{probabilities.data, probabilities.stride};
  const bool through_scores = head.dq.data != nullptr || keys.dk.data != nullptr;
  const Rows<T> grads{through_scores ? buffers.grads.data() : nullptr, kAttentionGradKeys};
  const Rows<const T> score_grads{grads.data, grads.stride};
  const int64_t end = p.BehindLastQuery(key + cols - 1);
  for (int64_t query = p.FirstQuery(key); query < end; query += kAttentionGradQueries) {
    const int64_t rows = std::min(kAttentionGradQueries, end - query);
    const Rows<const T> q = head.q.From(query), dout = head.dout.From(query), k = keys.k.From(key);
    Multiply<T>(rows, cols, p.head_size, q, Transpose::kNo, k, Transpose::kYes, probabilities, false);
    if (through_scores) {
      Multiply<T>(rows, cols, p.head_size, dout, Transpose::kNo, keys.v.From(key), Transpose::kYes, grads, false);
    }
    loops::SoftmaxFromLogSum(p.Block(query, rows, key, cols, kAttentionGradKeys), static_cast<T>(p.scale),
                             head.log_sums + query, head.mean_grads + query, probabilities.data, grads.data);
    if (keys.dv.data != nullptr) {
      Multiply<T>(cols, p.head_size, rows, weights, Transpose::kYes, dout, Transpose::kNo, keys.dv.From(key), true);
    }
    if (keys.dk.data != nullptr) {
      Multiply<T>(cols, p.head_size, rows, score_grads, Transpose::kYes, q, Transpose::kNo, keys.dk.From(key), true);
    }
    if (head.dq.data != nullptr) {
      Multiply<T>(rows, p.head_size, cols, score_grads, Transpose::kNo, k, Transpose::kNo, head.dq.From(query), true);
    }
  }
}

template <typename T>
void Clear(Rows<T> rows, int64_t begin, int64_t end, int64_t width) {
  if (rows.data == nullptr) return;
  for (int64_t r = begin; r < end; ++r) std::fill_n(rows.From(r).data, width, T{0});
}

/// mean_grads [batch, heads, queries]: the products of rows of out and dout, which are the means of the gradients of a
/// row's probabilities, weighted by them.
template <typename T>
void MeanGrads(const Layout& p, const T* out, const T* dout, T* mean_grads) {
  ParallelFor(p.batch * p.queries, RowGrain(p.heads * p.head_size), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t item = row / p.queries, query = row % p.queries;
      for (int64_t head = 0; head < p.heads; ++head) {
        const int64_t at = (row * p.heads + head) * p.head_size;
        mean_grads[(item * p.heads + head) * p.queries + query] =
            static_cast<T>(loops::Dot(p.head_size, out + at, dout + at));
      }
    }
  });
}

}  // namespace

template <typename T>
void CausalAttention(const AttentionProblem& problem, const T* q, const T* k, const T* v, T* out, T* log_sums) {
  const Layout p(problem);
  const int64_t blocks = CeilDiv(p.queries, kAttentionQueries);
  // The heads of a single query that share keys are taken at once, as its rows, so that the keys are read once.
  const int64_t together = p.queries == 1 && p.group() <= kAttentionQueries ? p.group() : 1;
  const int64_t head_sets = p.heads / together;
  const int64_t work = together * std::min(p.queries, kAttentionQueries) * std::min(p.window, p.keys) * p.head_size;
  const int64_t grain = CeilDiv(kLeastWork, std::max<int64_t>(work, 1));
  ParallelFor(p.batch * head_sets * blocks, grain, [&](int64_t begin, int64_t end) {
    ForwardBuffers<T> buffers(p.head_size);
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t number = unit % blocks, item = unit / blocks / head_sets;
      const int64_t head = unit / blocks % head_sets * together, kv_head = head / p.group();
      // First and last in turns, so that equally many blocks are about equal work.
      const int64_t query = (number % 2 == 0 ? number / 2 : blocks - 1 - number / 2) * kAttentionQueries;
      Rows<const T> q_rows = p.OfQueries(q, item, head);
      Rows<T> out_rows = p.OfQueries(out, item, head);
      if (together > 1) q_rows.stride = out_rows.stride = p.head_size;
      const int64_t rows = p.queries == 1 ? together : std::min(kAttentionQueries, p.queries - query);
      AttendFrom(p, query, rows, q_rows, p.OfKeys(k, item, kv_head), p.OfKeys(v, item, kv_head), out_rows,
                 log_sums + (item * p.heads + head) * p.queries + query, buffers);
    }
  });
}

template <typename T>
void CausalAttentionGrad(const AttentionProblem& problem, const T* q, const T* k, const T* v, const T* out,
                         const T* log_sums, const T* dout, T* dq, T* dk, T* dv) {
  const Layout p(problem);
  const int64_t q_size = p.batch * p.queries * p.heads * p.head_size;
  AlignedBuffer<T> mean_grads(p.batch * p.heads * p.queries);
  MeanGrads(p, out, dout, mean_grads.data());
  // A unit of work is every `parts`-th block of keys of one head: nobody else writes their gradients, and each part has
  // a dq of its own. More parts than one only where there are few heads, whatever the number of threads.
  const int64_t key_heads = p.batch * p.kv_heads, blocks = CeilDiv(p.keys, kAttentionGradKeys);
  const int64_t parts =
      std::clamp<int64_t>(CeilDiv(kGradUnits, std::max<int64_t>(key_heads, 1)), 1, std::max<int64_t>(blocks, 1));
  AlignedBuffer<T> other_dq(dq == nullptr ? 0 : (parts - 1) * q_size);
  const int64_t work = p.group() * p.queries * std::min(p.window, p.keys) * p.head_size / parts;
  ParallelFor(key_heads * parts, CeilDiv(kLeastWork, std::max<int64_t>(work, 1)), [&](int64_t begin, int64_t end) {
    GradBuffers<T> buffers;
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t part = unit % parts, kv_head = unit / parts % p.kv_heads, item = unit / parts / p.kv_heads;
      const GradProblem<T> keys{p.OfKeys(k, item, kv_head), p.OfKeys(v, item, kv_head), p.OfKeys(dk, item, kv_head),
                                p.OfKeys(dv, item, kv_head)};
      T* const part_dq = part == 0 || dq == nullptr ? dq : other_dq.data() + (part - 1) * q_size;
      for (int64_t head = kv_head * p.group(); head < (kv_head + 1) * p.group(); ++head) {
        Clear(p.OfQueries(part_dq, item, head), 0, p.queries, p.head_size);
      }
      for (int64_t block = part; block < blocks; block += parts) {
        const int64_t key = block * kAttentionGradKeys, behind = std::min(key + kAttentionGradKeys, p.keys);
        Clear(keys.dk, key, behind, p.head_size);
        Clear(keys.dv, key, behind, p.head_size);
        for (int64_t head = kv_head * p.group(); head < (kv_head + 1) * p.group(); ++head) {
          const int64_t at = (item * p.heads + head) * p.queries;
          AddGrads(p, key, behind - key, keys,
                   QueryHead<T>{p.OfQueries(q, item, head), p.OfQueries(dout, item, head),
                                p.OfQueries(part_dq, item, head), log_sums + at, mean_grads.data() + at},
                   buffers);
        }
      }
    }
  });
  for (int64_t part = 1; part < parts && dq != nullptr; ++part) {
    Axpy(q_size, T{1}, other_dq.data() + (part - 1) * q_size, dq);
  }
}

#define TWOFOUR_INSTANTIATE(T)                                                                                    \
  template void CausalAttention<T>(const AttentionProblem&, const T*, const T*, const T*, T*, T*);                \
  template void CausalAttentionGrad<T>(const AttentionProblem&, const T*, const T*, const T*, const T*, const T*, \
                                       const T*, T*, T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
#undef TWOFOUR_INSTANTIATE

}  // namespace twofour::kernels
