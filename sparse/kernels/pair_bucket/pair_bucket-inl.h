// The inner loops over a PairBucketStream. Compiled once for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PAIR_BUCKET_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PAIR_BUCKET_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PAIR_BUCKET_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PAIR_BUCKET_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"
#include "twofour/sparse/kernels/pair_bucket/panel-inl.h"
#include "twofour/sparse/kernels/pair_bucket/panel_work.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {

// A block of activations takes 24 to 32 KiB, which the first-level cache holds.
#if HWY_TARGET == HWY_AVX3
inline constexpr int64_t kBlockCols = 128;
#else
inline constexpr int64_t kBlockCols = 256;
#endif
inline constexpr PairBucketTiling kTiling{kPanel, kBlockCols};

/// Runs one bucket, steps [step, end). Each step feeds rows r0 and r1 from one column, and r2 and r3 from another.
template <int T, int r0, int r1, int r2, int r3>
HWY_INLINE void RunBucket(const PairBucketSteps& steps, int64_t step, int64_t end, const char* HWY_RESTRICT x,
                          V (&sum)[4][T]) {
  for (; step != end; ++step) {
    const float* const HWY_RESTRICT w = steps.weights[step];
    const float* const x0 = reinterpret_cast<const float*>(x + steps.offsets[step][0]);
    const V w0 = hn::Set(d, w[0]), w1 = hn::Set(d, w[1]);
    TWOFOUR_UNROLL
    for (int t = 0; t < T; ++t) {
      const V v = Loaded(hn::Load(d, x0 + t * kLanes));
      sum[r0][t] = hn::MulAdd(w0, v, sum[r0][t]);
      sum[r1][t] = hn::MulAdd(w1, v, sum[r1][t]);
    }
    const float* const x1 = reinterpret_cast<const float*>(x + steps.offsets[step][1]);
    const V w2 = hn::Set(d, w[2]), w3 = hn::Set(d, w[3]);
    TWOFOUR_UNROLL
    for (int t = 0; t < T; ++t) {
      const V v = Loaded(hn::Load(d, x1 + t * kLanes));
      sum[r2][t] = hn::MulAdd(w2, v, sum[r2][t]);
      sum[r3][t] = hn::MulAdd(w3, v, sum[r3][t]);
    }
  }
}

/// Adds the steps of one strip of a block times x [block_cols][kPanel] to sums, for T vectors of each row.
template <int T>
HWY_INLINE void AddStrip(const PairBucketSteps& steps, const PairBucketStream::Buckets& buckets, int64_t end,
                         const float* HWY_RESTRICT x, V (&sum)[4][T]) {
  const int64_t end0 = int64_t{buckets.begin} + buckets.count[0], end1 = end0 + buckets.count[1];
  const char* const bytes = reinterpret_cast<const char*>(x);
  static_assert(kPairingRows[1][1] == 2 && kPairingRows[2][1] == 3);
  RunBucket<T, 0, 1, 2, 3>(steps, buckets.begin, end0, bytes, sum);
  RunBucket<T, 0, 2, 1, 3>(steps, end0, end1, bytes, sum);
  RunBucket<T, 0, 3, 1, 2>(steps, end1, end, bytes, sum);
}

/// to [4][kPanel] = one strip of a block times x [block_cols][kPanel], for T vectors of each row, plus `from` if it is
/// not null. Each vector t of row r passes through finish(r, t, vector) -> vector.
template <int T, typename Finish>
HWY_INLINE void RunStrip(const PairBucketSteps& steps, const PairBucketStream::Buckets& buckets, int64_t end,
                         const float* HWY_RESTRICT x, const float* from, float* to, const Finish& finish) {
  V sum[4][T];
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int t = 0; t < T; ++t) {
      sum[r][t] = from == nullptr ? hn::Zero(d) : hn::Load(d, from + r * kPanel + t * kLanes);
    }
  }
  AddStrip<T>(steps, buckets, end, x, sum);
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int t = 0; t < T; ++t) hn::Store(finish(r, t, sum[r][t]), d, to + r * kPanel + t * kLanes);
  }
}

/// Multiplies strips [first, last) of a matrix with one panel, of which T vectors are in use.
///   source(block, col, cols) -> const float*: the activations of the block, [cols][kPanel], valid until the next call.
///   sink.Target(strip) -> float* [4][kPanel]: where to write the results of a strip.
///   sink.Finish(strip, r, t, vector) -> vector: makes results of sums.
///   sink.Done(strip): tells that the results of a strip are written.
/// `sums` [4 * (last - first)][kPanel] holds what is added up block by block.
template <int T, typename Source, typename Sink>
HWY_INLINE void RunPanel(const PairBucketStream& m, int64_t first, int64_t last, const Source& source, float* sums,
                         Sink& sink) {
  const PairBucketSteps steps = m.steps();
  for (int64_t block = 0; block < m.blocks(); ++block) {
    const int64_t block_cols = m.block_cols(), col = block * block_cols;
    const float* const x = source(col, std::min(block_cols, m.cols() - col));
    const PairBucketStream::Buckets* const buckets = m.buckets(block);
    const bool is_last = block + 1 == m.blocks();
    for (int64_t strip = first; strip < last; ++strip) {
      float* const sum = sums + (strip - first) * 4 * kPanel;
      const float* const from = block == 0 ? nullptr : sum;
      if (is_last) {
        RunStrip<T>(steps, buckets[strip], buckets[strip + 1].begin, x, from, sink.Target(strip),
                    [&sink, strip](int r, int t, V v) { return sink.Finish(strip, r, t, v); });
        sink.Done(strip);
      } else {
        RunStrip<T>(steps, buckets[strip], buckets[strip + 1].begin, x, from, sum, [](int, int, V v) { return v; });
      }
    }
  }
}

/// Calls call(std::integral_constant<int, T>), where T is the number of vectors, 1 to kVectors, that hold `rows` batch
/// rows.
template <typename Call>
HWY_INLINE void WithVectors(int64_t rows, const Call& call) {
  const int64_t vectors = CeilDiv(rows, kLanes);
  if (vectors == kVectors) return call(std::integral_constant<int, kVectors>());
  if (vectors == 1) return call(std::integral_constant<int, 1>());
  if (vectors == 2) return call(std::integral_constant<int, 2>());
  if constexpr (kVectors > 3) {
    if (vectors == 3) return call(std::integral_constant<int, 3>());
  }
  if constexpr (kVectors > 4) {
    if (vectors == 4) return call(std::integral_constant<int, 4>());
    if (vectors == 5) return call(std::integral_constant<int, 5>());
  }
}

/// max(v, 0). A NaN stays a NaN.
HWY_INLINE V Positive(V v) { return hn::IfThenZeroElse(hn::Lt(v, hn::Zero(d)), v); }

/// A sink for row-major results, f32 or bf16. It gathers kGroup rows of the matrix, then writes them back.
template <typename T>
class RowMajorSink {
 public:
  /// out [batch rows of the panel, all rows of the matrix]. The strips to come are [first, last).
  RowMajorSink(const Epilogue& epilogue, int64_t batch_rows, int64_t first, int64_t last, T* out, int64_t ld,
               bool stream)
      : epilogue_(epilogue), batch_rows_(batch_rows), first_(first), last_(last), out_(out), ld_(ld), stream_(stream) {}

  HWY_INLINE float* Target(int64_t strip) { return group_ + (strip - first_) % kStrips * 4 * kPanel; }

  HWY_INLINE V Finish(int64_t strip, int r, int, V v) const {
    if (epilogue_.bias != nullptr) v = hn::Add(v, hn::Set(d, epilogue_.bias[strip * 4 + r]));
    if (!epilogue_.relu_squared) return v;
    const V positive = Positive(v);
    return hn::Mul(positive, positive);
  }

  HWY_INLINE void Done(int64_t strip) {
    const int64_t in_group = (strip - first_) % kStrips + 1;
    if (in_group < kStrips && strip + 1 < last_) return;
    UnpackGroup(group_, in_group * 4, batch_rows_, out_ + (strip + 1 - in_group) * 4, ld_, stream_);
  }

 private:
  static constexpr int64_t kStrips = kGroup / 4;
  const Epilogue epilogue_;
  const int64_t batch_rows_, first_, last_;
  T* const out_;
  const int64_t ld_;
  const bool stream_;
  HWY_ALIGN float group_[kGroup * kPanel];
};

/// Whether results of this size should be written past the caches, because they would only push everything else out.
template <typename T>
bool ShouldStream(const T* out, int64_t rows, int64_t cols) {
  if (!std::is_same_v<T, float>) return false;  // A group is only half a cache line.
  constexpr int64_t kBytes = int64_t{4} << 20;
  return cols % kGroup == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0 &&
         rows * cols * static_cast<int64_t>(sizeof(float)) > kBytes;
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PAIR_BUCKET_INL_H_
