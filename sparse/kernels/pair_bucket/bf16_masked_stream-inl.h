// Products of panels of bf16 with a weight whose strips may have named rows. Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_MASKED_STREAM_INL_H_
#define TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_MASKED_STREAM_INL_H_

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_pair_bucket-inl.h"
#include "twofour/sparse/kernels/pair_bucket/masked_stream.h"
#include "twofour/sparse/kernels/pair_bucket/panel_work.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

using PairStream = MaskedStream<Bf16PairBucketStream>;

/// A weight that was packed by either kernel.
inline PairStream StreamOf(const PackedWeight& packed) {
  return PairStream::Of(packed, kIsa, Bf16PairBucketStream::kLayout, PackedLayout::kBf16Vnm);
}

inline PanelWork WorkOf(const PairStream& m, int64_t batch) { return m.WorkFor(batch, kPanel, kSquare); }

/// Adds the products of one strip to the sums of its rows, which begin at `to`. Not a part of its caller, because the
/// loops need all registers: compilers would keep the caller's numbers there, and the loops' in vectors.
template <int H>
HWY_NOINLINE void AddNamedStrip(const Bf16Steps& steps, const Bf16PairBucketStream::Buckets& buckets, int64_t end,
                                const char* x, float* const (&to)[4]) {
  Sums<H> sum;
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int v = 0; v < 2 * H; ++v) sum[r][v] = ZeroFloats();
  }
  AddStrip<H>(steps, buckets, end, x, sum);
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int v = 0; v < 2 * H; ++v) StoreFloats(Add(LoadFloats(to[r] + v * kLanes), sum[r][v]), to[r] + v * kLanes);
  }
}

/// Multiplies the groups of strips [first, last) of W transposed with one panel. As RunPanel, but the rows of a strip
/// are those that it names. `sums` has room for all rows of the strips and one more, to which nothing that counts is
/// added.
template <int H, typename Source, typename Sink>
HWY_INLINE void RunNamedPanel(const Bf16PairBucketStream& stream, const VnmColumns& columns, int64_t first,
                              int64_t last, const Source& source, float* sums, Sink& sink) {
  const int64_t row = first * 4, rows = (last - first) * 4;
  const int64_t group = row / columns.m(), end_group = std::min(CeilDiv(last * 4, columns.m()), columns.groups());
  std::fill_n(sums, (rows + 1) * kPanel, 0.0f);
  const Bf16Steps steps = stream.steps();
  for (int64_t block = 0; block < stream.blocks(); ++block) {
    const int64_t col = block * stream.block_cols();
    const char* const x =
        reinterpret_cast<const char*>(source(col, std::min(stream.block_cols(), stream.cols() - col)));
    const int64_t row_block = col / columns.v(), row_blocks = stream.strips() / columns.groups();
    for (int64_t i = 0; i < row_blocks && row_block + i < columns.row_blocks(); ++i) {
      const Bf16PairBucketStream::Buckets* const buckets = stream.buckets(block) + i * columns.groups();
      for (int64_t g = group; g < end_group; ++g) {
        const VnmColumns::Four& four = columns.at(row_block + i, g);
        float* to[4];
        for (int r = 0; r < 4; ++r) to[r] = sums + (four[r] == VnmColumns::kNone ? rows : four[r] - row) * kPanel;
        AddNamedStrip<H>(steps, buckets[g], buckets[g + 1].begin, x, to);
      }
    }
  }
  for (int64_t strip = first; strip < last; ++strip) {
    for (int r = 0; r < 4; ++r) {
      const float* const from = sums + ((strip - first) * 4 + r) * kPanel;
      TWOFOUR_UNROLL
      for (int h = 0; h < H; ++h) {
        sink.Take(strip, r, h, LoadFloats(from + 2 * h * kLanes), LoadFloats(from + (2 * h + 1) * kLanes));
      }
    }
    sink.Done(strip);
  }
}

/// RunPanel for either kind of stream. `sums` is as large as SumsFor says.
template <int H, typename Source, typename Sink>
HWY_INLINE void RunPanel(const PairStream& m, int64_t first, int64_t last, const Source& source, float* sums,
                         Sink& sink) {
  if (m.names == nullptr) {
    RunPanel<H>(m.stream, first, last, source, sums, sink);
  } else {
    RunNamedPanel<H>(m.stream, *m.names, first, last, source, sums, sink);
  }
}

/// How many of `strips` strips run at once through all blocks of activations. The sums of strips with named rows are
/// added to in memory, block by block, so these should stay in the second-level cache, if the activations do, too.
inline int64_t StripsAtOnce(const PairStream& m, int64_t strips) {
  constexpr int64_t kMost = 256;  // 256 KiB of sums, beside 512 KiB of activations.
  constexpr int64_t kMostCols = int64_t{512} * 1024 / (kPanel * sizeof(BFloat16));
  if (m.names == nullptr || strips <= kMost || m.cols() > kMostCols) return strips;
  const int64_t together = m.StripsTogether(kSquare);
  return std::min(strips, RoundUp(CeilDiv(strips, CeilDiv(strips, kMost)), together));
}

/// The product of a row-major batch, by a weight that either kernel packed.
inline void MultiplyRowMajor(const PackedWeight& packed, Direction, int64_t batch, const BFloat16* in,
                             const Epilogue& epilogue, BFloat16* out) {
  const PairStream m = StreamOf(packed);
  const PanelWork work = WorkOf(m, batch);
  const bool stream = ShouldStream(out, batch, m.rows());
  const int64_t at_once = StripsAtOnce(m, work.strips), block_size = m.block_cols() * kPanel;
  const bool keep = at_once < work.strips;
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<BFloat16> blocks(keep ? m.stream.blocks() * block_size : block_size);
    AlignedBuffer<float> sums(SumsFor(at_once, kPanel));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / work.ranges * kPanel, rows = std::min(kPanel, batch - row);
      const int64_t first = std::min(item % work.ranges * work.strips, m.strips());
      const int64_t last = std::min(first + work.strips, m.strips());
      for (int64_t some = first; some < last; some += at_once) {
        const int64_t end_some = std::min(some + at_once, last);
        RowMajorSink sink(epilogue, rows, some, end_some, out + row * m.rows(), m.rows(), stream);
        const auto source = [&](int64_t col, int64_t cols) {
          BFloat16* const x = blocks.data() + (keep ? col * kPanel : 0);
          if (!keep || some == first) PackPanel(in + row * m.cols() + col, m.cols(), rows, cols, x);
          return x;
        };
        WithSquares(rows, [&](auto squares) {
          RunPanel<decltype(squares)::value>(m, some, end_some, source, sums.data(), sink);
        });
      }
    }
    if (stream) FlushStream();
  });
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_MASKED_STREAM_INL_H_
