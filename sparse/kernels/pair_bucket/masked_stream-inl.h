// Products of panels with a weight whose strips may have named rows. Compiled once for each instruction set (see
// hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_MASKED_STREAM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_MASKED_STREAM_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_MASKED_STREAM_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_MASKED_STREAM_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/pair_bucket/masked_stream.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {

using FloatStream = MaskedStream<PairBucketStream>;

template <typename T>
constexpr PackedLayout kVnmLayoutFor = std::is_same_v<T, BFloat16> ? PackedLayout::kRoundedVnm : PackedLayout::kVnm;

/// A weight that was packed for activations of type T, by either kernel.
template <typename T>
FloatStream StreamFor(const PackedWeight& packed) {
  return FloatStream::Of(packed, IsaOf(HWY_TARGET), PairBucketStream::LayoutFor(DTypeOf<T>()), kVnmLayoutFor<T>);
}

inline PanelWork WorkOf(const FloatStream& m, int64_t batch) { return m.WorkFor(batch, kPanel, kGroup); }

/// Multiplies the groups of strips [first, last) of W transposed with one panel. As RunPanel, but the rows of a strip
/// are those that it names. `sums` has room for all rows of the strips and one more, to which nothing that counts is
/// added.
template <int T, typename Source, typename Sink>
HWY_INLINE void RunNamedPanel(const PairBucketStream& stream, const VnmColumns& columns, int64_t first, int64_t last,
                              const Source& source, float* sums, Sink& sink) {
  const int64_t row = first * 4, rows = (last - first) * 4;
  const int64_t group = row / columns.m(), end_group = std::min(CeilDiv(last * 4, columns.m()), columns.groups());
  std::fill_n(sums, (rows + 1) * kPanel, 0.0f);
  const PairBucketSteps steps = stream.steps();
  for (int64_t block = 0; block < stream.blocks(); ++block) {
    const int64_t block_cols = stream.block_cols(), col = block * block_cols;
    const float* const x = source(col, std::min(block_cols, stream.cols() - col));
    const int64_t row_block = col / columns.v(), row_blocks = stream.strips() / columns.groups();
    for (int64_t i = 0; i < row_blocks && row_block + i < columns.row_blocks(); ++i) {
      const PairBucketStream::Buckets* const buckets = stream.buckets(block) + i * columns.groups();
      for (int64_t g = group; g < end_group; ++g) {
        const VnmColumns::Four& four = columns.at(row_block + i, g);
        float* to[4];
        for (int r = 0; r < 4; ++r) to[r] = sums + (four[r] == VnmColumns::kNone ? rows : four[r] - row) * kPanel;
        V sum[4][T];
        TWOFOUR_UNROLL
        for (int r = 0; r < 4; ++r) {
          TWOFOUR_UNROLL
          for (int t = 0; t < T; ++t) sum[r][t] = hn::Load(d, to[r] + t * kLanes);
        }
        AddStrip<T>(steps, buckets[g], buckets[g + 1].begin, x, sum);
        TWOFOUR_UNROLL
        for (int r = 0; r < 4; ++r) {
          TWOFOUR_UNROLL
          for (int t = 0; t < T; ++t) hn::Store(sum[r][t], d, to[r] + t * kLanes);
        }
      }
    }
  }
  for (int64_t strip = first; strip < last; ++strip) {
    const float* const from = sums + (strip - first) * 4 * kPanel;
    float* const to = sink.Target(strip);
    for (int r = 0; r < 4; ++r) {
      TWOFOUR_UNROLL
      for (int t = 0; t < T; ++t) {
        hn::Store(sink.Finish(strip, r, t, hn::Load(d, from + r * kPanel + t * kLanes)), d,
                  to + r * kPanel + t * kLanes);
      }
    }
    sink.Done(strip);
  }
}

/// RunPanel for either kind of stream. `sums` is as large as SumsFor says.
template <int T, typename Source, typename Sink>
HWY_INLINE void RunPanel(const FloatStream& m, int64_t first, int64_t last, const Source& source, float* sums,
                         Sink& sink) {
  if (m.names == nullptr) {
    RunPanel<T>(m.stream, first, last, source, sums, sink);
  } else {
    RunNamedPanel<T>(m.stream, *m.names, first, last, source, sums, sink);
  }
}

/// The product of a row-major batch, by a weight that either kernel packed.
template <typename T>
void MultiplyRowMajor(const PackedWeight& packed, Direction, int64_t batch, const T* in, const Epilogue& epilogue,
                      T* out) {
  const FloatStream m = StreamFor<T>(packed);
  const PanelWork work = WorkOf(m, batch);
  const bool past_caches = ShouldStream(out, batch, m.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> block(m.block_cols() * kPanel), sums(SumsFor(work.strips, kPanel));
    float* const x = block.data();
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / work.ranges * kPanel, rows = std::min(kPanel, batch - row);
      const int64_t first = std::min(item % work.ranges * work.strips, m.strips());
      const int64_t last = std::min(first + work.strips, m.strips());
      RowMajorSink<T> sink(epilogue, rows, first, last, out + row * m.rows(), m.rows(), past_caches);
      const auto source = [&](int64_t col, int64_t cols) {
        PackPanel(in + row * m.cols() + col, m.cols(), rows, cols, x);
        return x;
      };
      WithVectors(rows,
                  [&](auto vectors) { RunPanel<decltype(vectors)::value>(m, first, last, source, sums.data(), sink); });
    }
    if (past_caches) hwy::FlushStream();
  });
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_MASKED_STREAM_INL_H_
