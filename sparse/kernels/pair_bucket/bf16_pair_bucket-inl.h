// The inner loops over a Bf16PairBucketStream. Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_PAIR_BUCKET_INL_H_
#define TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_PAIR_BUCKET_INL_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_panel-inl.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_stream.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

inline constexpr int64_t kBlockCols = Bf16PairBucketStream::kTiling.block_cols;
/// For which set the kernels' weights are packed.
inline constexpr Isa kIsa = TWOFOUR_BF16_NATIVE ? Isa::kAvx512Bf16 : Isa::kAny;

/// The sums of four rows of the matrix, for H squares of batch rows. Sums 2 h and 2 h + 1 of a row are those of square
/// h, in the order of InterleaveLower and InterleaveUpper.
template <int H>
using Sums = Floats[4][2 * H];

/// Adds two columns of two joined steps to two rows.
template <int H, int r0, int r1>
HWY_INLINE void AddColumns(const char* x0, const char* x1, const uint32_t* w, Sums<H>& sum) {
  const Pairs w0 = SetPairs(w[0]), w1 = SetPairs(w[1]);
  TWOFOUR_UNROLL
  for (int h = 0; h < H; ++h) {
    const Pairs a = Loaded(LoadPairs(x0 + h * sizeof(Pairs))), b = Loaded(LoadPairs(x1 + h * sizeof(Pairs)));
    const Pairs lower = InterleaveLower(a, b), upper = InterleaveUpper(a, b);
    sum[r0][2 * h] = DotPairs(sum[r0][2 * h], w0, lower);
    sum[r1][2 * h] = DotPairs(sum[r1][2 * h], w1, lower);
    sum[r0][2 * h + 1] = DotPairs(sum[r0][2 * h + 1], w0, upper);
    sum[r1][2 * h + 1] = DotPairs(sum[r1][2 * h + 1], w1, upper);
  }
}

/// Runs one bucket, joined steps [step, end). Each feeds rows r0 and r1 from its first columns, and r2 and r3 from its
/// second.
template <int H, int r0, int r1, int r2, int r3>
HWY_INLINE void RunBucket(const Bf16Steps& steps, int64_t step, int64_t end, const char* x, Sums<H>& sum) {
  for (; step != end; ++step) {
    const uint16_t* const at = steps.offsets[step];
    const uint32_t* const w = steps.weights[step];
    AddColumns<H, r0, r1>(x + at[0], x + at[1], w, sum);
    AddColumns<H, r2, r3>(x + at[2], x + at[3], w + 2, sum);
  }
}

/// Adds the steps of one strip within one block, which end at `end`.
template <int H>
HWY_INLINE void AddStrip(const Bf16Steps& steps, const Bf16PairBucketStream::Buckets& buckets, int64_t end,
                         const char* x, Sums<H>& sum) {
  static_assert(kPairingRows[1][1] == 2 && kPairingRows[2][1] == 3);
  const int64_t begin = buckets.begin, end0 = begin + buckets.count[0], end1 = end0 + buckets.count[1];
  RunBucket<H, 0, 1, 2, 3>(steps, begin, end0, x, sum);
  RunBucket<H, 0, 2, 1, 3>(steps, end0, end1, x, sum);
  RunBucket<H, 0, 3, 1, 2>(steps, end1, end, x, sum);
}

/// Multiplies strips [first, last) of a matrix with one panel, of which H squares are in use.
///   source(col, cols) -> const BFloat16*: the activations of a block, [cols][kPanel], valid until the next call.
///   sink.Take(strip, r, h, low, high): takes the sums of square h of row r of a strip.
///   sink.Done(strip): tells that it has got all sums of a strip.
/// `sums` [4 * (last - first)][kPanel] holds what is added up block by block.
template <int H, typename Source, typename Sink>
HWY_INLINE void RunPanel(const Bf16PairBucketStream& m, int64_t first, int64_t last, const Source& source, float* sums,
                         Sink& sink) {
  const Bf16Steps steps = m.steps();
  for (int64_t block = 0; block < m.blocks(); ++block) {
    const int64_t col = block * m.block_cols();
    const char* const x = reinterpret_cast<const char*>(source(col, std::min(m.block_cols(), m.cols() - col)));
    const Bf16PairBucketStream::Buckets* const buckets = m.buckets(block);
    const bool is_last = block + 1 == m.blocks();
    for (int64_t strip = first; strip < last; ++strip) {
      float* const saved = sums + (strip - first) * 4 * kPanel;
      Sums<H> sum;
      TWOFOUR_UNROLL
      for (int r = 0; r < 4; ++r) {
        TWOFOUR_UNROLL
        for (int v = 0; v < 2 * H; ++v) {
          sum[r][v] = block == 0 ? ZeroFloats() : LoadFloats(saved + r * kPanel + v * kLanes);
        }
      }
      AddStrip<H>(steps, buckets[strip], buckets[strip + 1].begin, x, sum);
      TWOFOUR_UNROLL
      for (int r = 0; r < 4; ++r) {
        TWOFOUR_UNROLL
        for (int h = 0; h < H; ++h) {
          if (is_last) {
            sink.Take(strip, r, h, sum[r][2 * h], sum[r][2 * h + 1]);
          } else {
            StoreFloats(sum[r][2 * h], saved + r * kPanel + 2 * h * kLanes);
            StoreFloats(sum[r][2 * h + 1], saved + r * kPanel + (2 * h + 1) * kLanes);
          }
        }
      }
      if (is_last) sink.Done(strip);
    }
  }
}

/// Calls call(std::integral_constant<int, H>), where H is the number of squares that hold `rows` batch rows.
template <typename Call>
HWY_INLINE void WithSquares(int64_t rows, const Call& call) {
  rows > kSquare ? call(std::integral_constant<int, 2>()) : call(std::integral_constant<int, 1>());
}

/// A sink for row-major results. It gathers kSquare rows of the matrix, then writes them back.
class RowMajorSink {
 public:
  /// out [batch rows of the panel, all rows of the matrix]. The strips to come are [first, last).
  RowMajorSink(const Epilogue& epilogue, int64_t batch_rows, int64_t first, int64_t last, BFloat16* out, int64_t ld,
               bool stream)
      : epilogue_(epilogue), batch_rows_(batch_rows), first_(first), last_(last), out_(out), ld_(ld), stream_(stream) {}

  HWY_INLINE void Take(int64_t strip, int r, int h, Floats low, Floats high) {
    if (epilogue_.bias != nullptr) {
      const Floats bias = SetFloats(epilogue_.bias[strip * 4 + r]);
      low = Add(low, bias), high = Add(high, bias);
    }
    if (epilogue_.relu_squared) low = ReluSquared(low), high = ReluSquared(high);
    StorePairs(UndoInterleave(RoundToBf16(low, high)),
               group_ + ((strip - first_) % kStrips * 4 + r) * kPanel + h * kSquare);
  }

  HWY_INLINE void Done(int64_t strip) {
    const int64_t in_group = (strip - first_) % kStrips + 1;
    if (in_group < kStrips && strip + 1 < last_) return;
    UnpackSquare(group_, in_group * 4, batch_rows_, out_ + (strip + 1 - in_group) * 4, ld_, stream_);
  }

 private:
  static constexpr int64_t kStrips = kSquare / 4;
  const Epilogue epilogue_;
  const int64_t batch_rows_, first_, last_;
  BFloat16* const out_;
  const int64_t ld_;
  const bool stream_;
  alignas(64) BFloat16 group_[kSquare * kPanel];
};

/// Whether results of this size should be written past the caches, because they would only push everything else out.
inline bool ShouldStream(const BFloat16* out, int64_t rows, int64_t cols) {
  constexpr int64_t kBytes = int64_t{4} << 20;
  return cols % kSquare == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0 &&
         rows * cols * static_cast<int64_t>(sizeof(BFloat16)) > kBytes;
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_PAIR_BUCKET_INL_H_
