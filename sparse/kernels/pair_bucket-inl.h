// The inner loops over a PairBucketStream. Compiled once for each instruction set (see hwy/foreach_target.h).
#include <cstdint>

#include "twofour/sparse/kernels/pair_bucket_stream.h"

#if defined(TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_INL_H_
#endif

#include "twofour/sparse/kernels/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {

// A block of activations is 24 to 32 KiB: what the first-level cache holds.
#if HWY_TARGET == HWY_AVX3
inline constexpr int64_t kBlockCols = 128;
#else
inline constexpr int64_t kBlockCols = 256;
#endif
inline constexpr PairBucketTiling kTiling{kPanel, kBlockCols};

/// One bucket, steps [step, end): each feeds rows r0 and r1 from one column, r2 and r3 from another.
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

/// y [4][kPanel] (+)= one strip of a block times x [block_cols][kPanel], T vectors of each row; then
/// finish(row, vector) -> vector, row 0 to 3.
template <int T, typename Finish>
HWY_INLINE void RunStrip(const PairBucketSteps& steps, const PairBucketStream::Buckets& buckets, uint32_t end,
                         const float* HWY_RESTRICT x, bool accumulate, float* HWY_RESTRICT y, const Finish& finish) {
  V sum[4][T];
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int t = 0; t < T; ++t) sum[r][t] = accumulate ? hn::Load(d, y + r * kPanel + t * kLanes) : hn::Zero(d);
  }
  const int64_t end0 = int64_t{buckets.begin} + buckets.count[0], end1 = end0 + buckets.count[1];
  const char* const bytes = reinterpret_cast<const char*>(x);
  static_assert(kPairingRows[1][1] == 2 && kPairingRows[2][1] == 3);
  RunBucket<T, 0, 1, 2, 3>(steps, buckets.begin, end0, bytes, sum);
  RunBucket<T, 0, 2, 1, 3>(steps, end0, end1, bytes, sum);
  RunBucket<T, 0, 3, 1, 2>(steps, end1, end, bytes, sum);
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int t = 0; t < T; ++t) hn::Store(finish(r, sum[r][t]), d, y + r * kPanel + t * kLanes);
  }
}

/// Calls call(std::integral_constant<int, T>) with the T in 1 .. kVectors that holds `rows` batch rows.
template <typename Call>
HWY_INLINE void WithVectors(int64_t rows, const Call& call) {
  const int64_t vectors = (rows + kLanes - 1) / kLanes;
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

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_INL_H_
