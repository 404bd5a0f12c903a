// Attention in blocks of scores that stay in the second-level cache, after Dao, "FlashAttention-2: Faster Attention
// with Better Parallelism and Work Partitioning", 2023.
//
// Shapes, with the names of AttentionProblem:
//   q, out and their gradients     [batch, queries, heads, head_size]
//   k, v and their gradients       [batch, key_capacity, kv_heads, head_size]; only the first `keys` rows count
//   log_sums, mean_grads           [batch, heads, queries]
//   a block of scores, forward     [64 queries, 128 keys] of one head
//   a block of scores, backward    [128 queries, 64 keys] of one head
//
// For each head, with the softmax over the keys that a query sees:
//   scores = q k^T,  probabilities = softmax(scale * scores) = exp(scale * scores - log_sums),  out = probabilities v
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <hwy/cache_control.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/attention/attention.h"
#include "twofour/core/kernels/attention/attention_layout.h"
#include "twofour/core/kernels/attention/attention_loops.h"
#include "twofour/core/kernels/attention/attention_loops_f64.h"
#include "twofour/core/kernels/elements/convert_loops.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/elements/in_ranges.h"
#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/kernels/elements/reduce_loops_f64.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

using Layout = AttentionLayout;

/// A thread should have at least this many multiply-adds to do.
constexpr int64_t kLeastWork = 64 * 64 * 64;
/// The backward pass has at least this many units of work, if there are enough blocks of keys.
constexpr int64_t kFewestGradUnits = 16;

template <typename T>
using SumType = AttentionSum<T>;

/// C = op(A) op(B), or C += op(A) op(B).
template <typename A, typename B, typename C>
void Multiply(int64_t m, int64_t n, int64_t k, Rows<A> a, Transpose transpose_a, Rows<B> b, Transpose transpose_b,
              Rows<C> c, bool accumulate) {
  GemmProblem<std::remove_const_t<A>, std::remove_const_t<B>, C> p;
  p.m = m, p.n = n, p.k = k;
  p.a = a.data, p.lda = a.stride, p.transpose_a = transpose_a;
  p.b = b.data, p.ldb = b.stride, p.transpose_b = transpose_b;
  p.c = c.data, p.ldc = c.stride, p.accumulate = accumulate;
  Gemm(p);
}

/// Copies or rounds [count, width].
template <typename From, typename To>
void Write(Rows<From> from, int64_t count, int64_t width, Rows<To> to) {
  if constexpr (std::is_same_v<std::remove_const_t<From>, To>) {
    for (int64_t r = 0; r < count; ++r) std::copy_n(from.From(r).data, width, to.From(r).data);
  } else {
    loops::ConvertRows(count, width, from.data, from.stride, to.data, to.stride);
  }
}

/// The memory that one thread needs to attend from a block of queries. T is a SumType.
template <typename T>
struct ForwardBuffers {
  explicit ForwardBuffers(int64_t head_size)
      : scores(kAttentionQueries * kAttentionKeys), result(kAttentionQueries * head_size) {}

  AlignedBuffer<T> scores;  // [kAttentionQueries, kAttentionKeys]
  AlignedBuffer<T> result;  // [kAttentionQueries, head_size]
  T highest[kAttentionQueries], sum[kAttentionQueries];
};

/// Fetches rows that will be read once only. The rows of one head lie apart from each other, so the processor does not
/// foresee the reads by itself.
template <typename T>
void PrefetchRows(Rows<const T> rows, int64_t count, int64_t width) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < width; i += kLine) hwy::Prefetch(rows.From(r).data + i);
  }
}

/// Attends from queries [query, query + rows) of one head. If there is only one query, the rows are instead that query
/// of as many heads. `log_sums` are those of the rows.
template <typename T>
void AttendFrom(const Layout& p, int64_t query, int64_t rows, Rows<const T> q, Rows<const T> k, Rows<const T> v,
                Rows<T> out, SumType<T>* log_sums, ForwardBuffers<SumType<T>>& buffers) {
  using S = SumType<T>;
  const bool single = p.queries == 1;
  S *const scores = buffers.scores.data(), *const result = buffers.result.data();

  // 1. Begin with a softmax over no keys.
  std::fill_n(result, rows * p.head_size, S{0});
  std::fill_n(buffers.highest, rows, -std::numeric_limits<S>::infinity());
  std::fill_n(buffers.sum, rows, S{0});

  const int64_t end = single ? p.keys : p.BehindLastKey(query + rows - 1);
  for (int64_t key = p.FirstKey(query); key < end; key += kAttentionKeys) {
    const int64_t cols = std::min(kAttentionKeys, end - key), next = key + cols;
    if (single) PrefetchRows(v.From(key), cols, p.head_size);

    // 2. scores [rows, cols] = q k^T.
    Multiply(rows, cols, p.head_size, q.From(query), Transpose::kNo, k.From(key), Transpose::kYes,
             Rows<S>{scores, kAttentionKeys}, false);

    // 3. The scores become exponentials. What `sum` and `result` hold so far shrinks if a higher score has come.
    loops::ScoreBlock block = p.Block(query, rows, key, cols, kAttentionKeys);
    if (single) block.low = -rows, block.high = cols;  // All rows see what the one query sees.
    loops::OnlineSoftmax(block, static_cast<S>(p.scale), scores, buffers.highest, buffers.sum, p.head_size, result);
    if (single && next < end) PrefetchRows(k.From(next), std::min(kAttentionKeys, end - next), p.head_size);

    // 4. result [rows, head_size] += exponentials v.
    Multiply(rows, p.head_size, cols, Rows<S>{scores, kAttentionKeys}, Transpose::kNo, v.From(key), Transpose::kNo,
             Rows<S>{result, p.head_size}, true);
  }

  // 5. out = result / sum, and the logarithm of the sum for the backward pass.
  for (int64_t r = 0; r < rows; ++r) {
    const S share = S{1} / buffers.sum[r];
    S* const row = result + r * p.head_size;
    std::transform(row, row + p.head_size, row, [share](S x) { return x * share; });
    log_sums[r] = buffers.highest[r] + std::log(buffers.sum[r]);
  }
  Write(Rows<const S>{result, p.head_size}, rows, p.head_size, out.From(query));
}

/// What the backward pass reads and writes. Gradients are null if they are not wanted.
template <typename T>
struct GradArrays {
  const T *q, *k, *v, *dout;
  const SumType<T>*log_sums, *mean_grads;
  T *dk, *dv;
};

/// Some keys and values of one head, and the sums of their gradients.
template <typename T>
struct KeyBlock {
  Rows<const T> k, v;
  Rows<SumType<T>> dk, dv;
};

/// One head of queries, and what belongs to it.
template <typename T>
struct QueryHead {
  Rows<const T> q, dout;
  Rows<SumType<T>> dq;
  const SumType<T>*log_sums, *mean_grads;
};

/// The memory that one thread needs for a block of scores in the backward pass. T is a SumType.
template <typename T>
struct GradBuffers {
  explicit GradBuffers(int64_t head_size) : dk(kAttentionGradKeys * head_size), dv(kAttentionGradKeys * head_size) {}

  AlignedBuffer<T> probabilities{kAttentionGradQueries * kAttentionGradKeys};
  AlignedBuffer<T> grads{kAttentionGradQueries * kAttentionGradKeys};
  AlignedBuffer<T> dk, dv;  // [kAttentionGradKeys, head_size]
};

/// Adds to the gradients what comes from the scores of one head of queries and keys [key, key + cols), which are those
/// of the block.
template <typename T>
void AddGrads(const Layout& p, int64_t key, int64_t cols, const KeyBlock<T>& keys, const QueryHead<T>& head,
              GradBuffers<SumType<T>>& buffers) {
  using S = SumType<T>;
  const bool through_scores = head.dq.data != nullptr || keys.dk.data != nullptr;
  const Rows<S> probabilities{buffers.probabilities.data(), kAttentionGradKeys};
  const Rows<S> grads{through_scores ? buffers.grads.data() : nullptr, kAttentionGradKeys};

  const int64_t end = p.BehindLastQuery(key + cols - 1);
  for (int64_t query = p.FirstQuery(key); query < end; query += kAttentionGradQueries) {
    const int64_t rows = std::min(kAttentionGradQueries, end - query);
    const Rows<const T> q = head.q.From(query), dout = head.dout.From(query);

    // 1. scores [rows, cols] = q k^T.
    Multiply(rows, cols, p.head_size, q, Transpose::kNo, keys.k, Transpose::kYes, probabilities, false);

    // 2. Gradients of the probabilities [rows, cols] = dout v^T.
    if (through_scores) {
      Multiply(rows, cols, p.head_size, dout, Transpose::kNo, keys.v, Transpose::kYes, grads, false);
    }

    // 3. Scores become probabilities, and gradients of probabilities become gradients of scores.
    loops::SoftmaxFromLogSum(p.Block(query, rows, key, cols, kAttentionGradKeys), static_cast<S>(p.scale),
                             head.log_sums + query, head.mean_grads + query, probabilities.data, grads.data);

    // 4. dv [cols, head_size] += probabilities^T dout.
    if (keys.dv.data != nullptr) {
      Multiply(cols, p.head_size, rows, probabilities, Transpose::kYes, dout, Transpose::kNo, keys.dv, true);
    }

    // 5. dk [cols, head_size] += gradients^T q.
    if (keys.dk.data != nullptr) {
      Multiply(cols, p.head_size, rows, grads, Transpose::kYes, q, Transpose::kNo, keys.dk, true);
    }

    // 6. dq [rows, head_size] += gradients k.
    if (head.dq.data != nullptr) {
      Multiply(rows, p.head_size, cols, grads, Transpose::kNo, keys.k, Transpose::kNo, head.dq.From(query), true);
    }
  }
}

template <typename T>
void Clear(Rows<T> rows, int64_t begin, int64_t end, int64_t width) {
  if (rows.data == nullptr) return;
  for (int64_t r = begin; r < end; ++r) std::fill_n(rows.From(r).data, width, T{0});
}

/// mean_grads [batch, heads, queries]: the product of each row of out with the same row of dout. It equals the mean of
/// the gradients of the row's probabilities, weighted with the probabilities.
template <typename T>
void MeanGrads(const Layout& p, const T* out, const T* dout, SumType<T>* mean_grads) {
  ParallelFor(p.batch * p.queries, RowGrain(p.heads * p.head_size), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t item = row / p.queries, query = row % p.queries, at = row * p.heads * p.head_size;
      loops::RowDots(p.heads, p.head_size, out + at, dout + at, mean_grads + item * p.heads * p.queries + query,
                     p.queries);
    }
  });
}

/// How the backward pass is cut into units of work. A unit is every `parts`-th block of keys of one head: nobody else
/// writes the gradients of these keys, and each part sums up a dq of its own. There is more than one part only if there
/// are few heads. The number of threads does not count, so the bits do not depend on it.
struct GradUnits {
  explicit GradUnits(const Layout& p) : blocks(CeilDiv(p.keys, kAttentionGradKeys)) {
    const int64_t key_heads = p.batch * p.kv_heads;
    parts = std::clamp<int64_t>(CeilDiv(kFewestGradUnits, std::max<int64_t>(key_heads, 1)), 1,
                                std::max<int64_t>(blocks, 1));
    count = key_heads * parts;
    const int64_t work = p.group() * p.queries * std::min(p.window, p.keys) * p.head_size / parts;
    grain = CeilDiv(kLeastWork, std::max<int64_t>(work, 1));
  }

  int64_t blocks, parts, count, grain;
};

/// One unit of work: parts `part`, `part` + units.parts, ... of the blocks of one head of keys. `dq` is the part's own.
template <typename T>
void RunGradUnit(const Layout& p, const GradUnits& units, int64_t unit, const GradArrays<T>& arrays, SumType<T>* dq,
                 GradBuffers<SumType<T>>& buffers) {
  using S = SumType<T>;
  const int64_t part = unit % units.parts, kv_head = unit / units.parts % p.kv_heads;
  const int64_t item = unit / units.parts / p.kv_heads;
  const int64_t first_head = kv_head * p.group(), end_head = first_head + p.group();
  const Rows<T> dk = p.OfKeys(arrays.dk, item, kv_head), dv = p.OfKeys(arrays.dv, item, kv_head);
  const Rows<S> dk_sums{dk.data == nullptr ? nullptr : buffers.dk.data(), p.head_size};
  const Rows<S> dv_sums{dv.data == nullptr ? nullptr : buffers.dv.data(), p.head_size};

  // 1. Clear dq of all queries that read this head of keys.
  for (int64_t head = first_head; head < end_head; ++head) {
    Clear(p.OfQueries(dq, item, head), 0, p.queries, p.head_size);
  }

  for (int64_t block = part; block < units.blocks; block += units.parts) {
    const int64_t key = block * kAttentionGradKeys, behind = std::min(key + kAttentionGradKeys, p.keys);

    // 2. Begin with sums of zero for dk and dv of the block.
    const KeyBlock<T> keys{p.OfKeys(arrays.k, item, kv_head).From(key), p.OfKeys(arrays.v, item, kv_head).From(key),
                           dk_sums, dv_sums};
    Clear(dk_sums, 0, behind - key, p.head_size);
    Clear(dv_sums, 0, behind - key, p.head_size);

    // 3. Add what comes from each head of queries.
    for (int64_t head = first_head; head < end_head; ++head) {
      const int64_t at = (item * p.heads + head) * p.queries;
      const QueryHead<T> queries{p.OfQueries(arrays.q, item, head), p.OfQueries(arrays.dout, item, head),
                                 p.OfQueries(dq, item, head), arrays.log_sums + at, arrays.mean_grads + at};
      AddGrads(p, key, behind - key, keys, queries, buffers);
    }

    // 4. Write dk and dv.
    if (dk.data != nullptr) Write(dk_sums, behind - key, p.head_size, dk.From(key));
    if (dv.data != nullptr) Write(dv_sums, behind - key, p.head_size, dv.From(key));
  }
}

}  // namespace

template <typename T>
void CausalAttention(const AttentionProblem& problem, const T* q, const T* k, const T* v, T* out,
                     AttentionSum<T>* log_sums) {
  const Layout p(problem);

  // 1. Cut the work into units: a block of queries of one head. If there is only one query, all heads that share keys
  //    are one unit and its rows, so that the keys are read once.
  const bool single = p.queries == 1;
  const int64_t blocks = CeilDiv(p.queries, kAttentionQueries);
  const int64_t together = single && p.group() <= kAttentionQueries ? p.group() : 1;
  const int64_t head_sets = p.heads / together;
  const int64_t work = together * std::min(p.queries, kAttentionQueries) * std::min(p.window, p.keys) * p.head_size;
  const int64_t grain = CeilDiv(kLeastWork, std::max<int64_t>(work, 1));

  ParallelFor(p.batch * head_sets * blocks, grain, [&](int64_t begin, int64_t end) {
    ForwardBuffers<SumType<T>> buffers(p.head_size);
    for (int64_t unit = begin; unit < end; ++unit) {
      // 2. Find the unit's rows. Blocks from the front and from the back take turns, because later queries see more
      //    keys: so equal numbers of blocks are about equal work.
      const int64_t number = unit % blocks, item = unit / blocks / head_sets;
      const int64_t head = unit / blocks % head_sets * together, kv_head = head / p.group();
      const int64_t query = (number % 2 == 0 ? number / 2 : blocks - 1 - number / 2) * kAttentionQueries;
      const int64_t rows = single ? together : std::min(kAttentionQueries, p.queries - query);
      Rows<const T> q_rows = p.OfQueries(q, item, head);
      Rows<T> out_rows = p.OfQueries(out, item, head);
      if (together > 1) q_rows.stride = out_rows.stride = p.head_size;

      // 3. Attend from them.
      AttendFrom(p, query, rows, q_rows, p.OfKeys(k, item, kv_head), p.OfKeys(v, item, kv_head), out_rows,
                 log_sums + (item * p.heads + head) * p.queries + query, buffers);
    }
  });
}

template <typename T>
void CausalAttentionGrad(const AttentionProblem& problem, const T* q, const T* k, const T* v, const T* out,
                         const AttentionSum<T>* log_sums, const T* dout, T* dq, T* dk, T* dv) {
  using S = SumType<T>;
  constexpr bool kRounds = !std::is_same_v<T, S>;
  const Layout p(problem);
  const GradUnits units(p);

  // 1. mean_grads = the sums of out * dout along rows.
  AlignedBuffer<S> mean_grads(p.batch * p.heads * p.queries);
  MeanGrads(p, out, dout, mean_grads.data());

  // 2. dk, dv and a dq for each part. The first part writes to `dq` itself, unless it is to be rounded.
  const GradArrays<T> arrays{q, k, v, dout, log_sums, mean_grads.data(), dk, dv};
  const int64_t q_size = p.batch * p.queries * p.heads * p.head_size;
  const int64_t buffers_of_dq = dq == nullptr ? 0 : kRounds ? units.parts : units.parts - 1;
  AlignedBuffer<S> dq_sums(buffers_of_dq * q_size);
  S* first_dq = nullptr;
  S* other_dq = dq_sums.data();
  if constexpr (kRounds) {
    if (dq != nullptr) first_dq = dq_sums.data(), other_dq += q_size;
  } else {
    first_dq = dq;
  }
  ParallelFor(units.count, units.grain, [&](int64_t begin, int64_t end) {
    GradBuffers<S> buffers(p.head_size);
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t part = unit % units.parts;
      RunGradUnit(p, units, unit, arrays, part == 0 || dq == nullptr ? first_dq : other_dq + (part - 1) * q_size,
                  buffers);
    }
  });

  // 3. dq = the sum of the parts' dq, in order.
  if (dq == nullptr) return;
  for (int64_t part = 1; part < units.parts; ++part) Axpy(q_size, S{1}, other_dq + (part - 1) * q_size, first_dq);
  if constexpr (kRounds) {
    InRanges(q_size, kElementwiseGrain,
             [=](int64_t at, int64_t count) { loops::Convert(count, first_dq + at, dq + at); });
  }
}

#define TWOFOUR_INSTANTIATE(T)                                                                                   \
  template void CausalAttention<T>(const AttentionProblem&, const T*, const T*, const T*, T*, AttentionSum<T>*); \
  template void CausalAttentionGrad<T>(const AttentionProblem&, const T*, const T*, const T*, const T*,          \
                                       const AttentionSum<T>*, const T*, T*, T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(BFloat16)
TWOFOUR_INSTANTIATE(double)
#undef TWOFOUR_INSTANTIATE

}  // namespace twofour::kernels
