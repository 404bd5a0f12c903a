// Products of panels of bytes with packed weights. Compiled for each set: see int8_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_INT8_INT8_PRODUCT_INL_H_
#define TWOFOUR_SPARSE_KERNELS_INT8_INT8_PRODUCT_INL_H_

#include <algorithm>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/int8/int8_panel-inl.h"
#include "twofour/sparse/kernels/int8/int8_stream.h"
#include "twofour/sparse/kernels/pair_bucket/panel_work.h"
#include "twofour/sparse/kernels/pair_bucket/tile_steps.h"

TWOFOUR_INT8_BEFORE
namespace twofour::sparse::TWOFOUR_INT8 {

/// Halves of a panel that one pass over a strip computes: what fits into registers.
inline constexpr int kHalvesAtOnce = kBytes == 64 ? 2 : 1;

/// The sums of four rows of the matrix, for H halves of a panel's tokens.
template <int H>
using Sums = Ints[4][2 * H];

template <int H>
HWY_INLINE void LoadSums(const int32_t* from, int first_half, bool zero, Sums<H>& sum) {
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int q = 0; q < 2 * H; ++q) {
      sum[r][q] = zero ? SetInts(0) : Load(from + r * kPanel + (2 * first_half + q) * kLanes);
    }
  }
}

template <int H>
HWY_INLINE void StoreSums(const Sums<H>& sum, int first_half, int32_t* to) {
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int q = 0; q < 2 * H; ++q) Store(sum[r][q], to + r * kPanel + (2 * first_half + q) * kLanes);
  }
}

/// Adds one column of each of four joined steps to two rows.
template <int kFirst, int H, int r0, int r1>
HWY_INLINE void AddColumns(const uint8_t* x, const uint16_t* at, const uint32_t* w, Sums<H>& sum) {
  const Ints a = Loaded(Load(x + at[0])), b = Loaded(Load(x + at[1]));
  const Ints c = Loaded(Load(x + at[2])), d = Loaded(Load(x + at[3]));
  const Weights w0 = SetWeights(w[0]), w1 = SetWeights(w[1]);
  TWOFOUR_UNROLL
  for (int h = 0; h < H; ++h) {
    const bool upper = kFirst + h == 1;
    const Ints ab = upper ? Upper8(a, b) : Lower8(a, b), cd = upper ? Upper8(c, d) : Lower8(c, d);
    const Quads first = AsQuads(Lower16(ab, cd)), second = AsQuads(Upper16(ab, cd));
    sum[r0][2 * h] = Dot(sum[r0][2 * h], first, w0);
    sum[r1][2 * h] = Dot(sum[r1][2 * h], first, w1);
    sum[r0][2 * h + 1] = Dot(sum[r0][2 * h + 1], second, w0);
    sum[r1][2 * h + 1] = Dot(sum[r1][2 * h + 1], second, w1);
  }
}

/// Runs one bucket, joined steps [step, end). Each feeds rows r0 and r1 from its first columns, and r2 and r3 from its
/// second.
template <int kFirst, int H, int r0, int r1, int r2, int r3>
HWY_INLINE void RunBucket(const Int8Steps& steps, int64_t step, int64_t end, const uint8_t* x, Sums<H>& sum) {
  for (; step != end; ++step) {
    AddColumns<kFirst, H, r0, r1>(x, steps.offsets[step], steps.weights[step], sum);
    AddColumns<kFirst, H, r2, r3>(x, steps.offsets[step] + 4, steps.weights[step] + 2, sum);
  }
}

/// A product with a 2:4 or V:N:M matrix.
struct StreamProduct {
  using Packed = Int8Stream;
  static constexpr bool kInQuads = false;

  /// Adds the columns of one block to the sums of a strip, for H halves of a panel from kFirst on.
  template <int kFirst, int H>
  static HWY_INLINE void AddStrip(const Int8Stream& m, int64_t block, int64_t strip, const Panel& panel, Sums<H>& sum) {
    static_assert(kPairingRows[1][1] == 2 && kPairingRows[2][1] == 3);
    const Int8Steps steps = m.steps();
    const Int8Stream::Buckets& at = m.buckets(block)[strip];
    const int64_t end = m.buckets(block)[strip + 1].begin, end0 = at.begin + at.count[0], end1 = end0 + at.count[1];
    const uint8_t* const x = panel.at(block * m.block_cols());
    RunBucket<kFirst, H, 0, 1, 2, 3>(steps, at.begin, end0, x, sum);
    RunBucket<kFirst, H, 0, 2, 1, 3>(steps, end0, end1, x, sum);
    RunBucket<kFirst, H, 0, 3, 1, 2>(steps, end1, end, x, sum);
  }
};

/// A product with a whole matrix.
struct QuadsProduct {
  using Packed = Int8Quads;
  static constexpr bool kInQuads = true;

  template <int kFirst, int H>
  static HWY_INLINE void AddStrip(const Int8Quads& m, int64_t block, int64_t strip, const Panel& panel, Sums<H>& sum) {
    const int64_t begin = block * m.block_quads(), end = std::min(begin + m.block_quads(), m.quads());
    const uint32_t(*const weights)[4] = m.strip(strip);
    const uint8_t* x = panel.at(begin * 4) + 2 * kFirst * kBytes;
    for (int64_t quad = begin; quad < end; ++quad, x += 4 * kPanel) {
      Quads quads[2 * H];
      TWOFOUR_UNROLL
      for (int q = 0; q < 2 * H; ++q) quads[q] = AsQuads(Loaded(Load(x + q * kBytes)));
      TWOFOUR_UNROLL
      for (int r = 0; r < 4; ++r) {
        const Weights w = SetWeights(weights[quad][r]);
        TWOFOUR_UNROLL
        for (int q = 0; q < 2 * H; ++q) sum[r][q] = Dot(sum[r][q], quads[q], w);
      }
    }
  }
};

/// One pass over a strip within a block. Not a part of its caller, because the loops need all registers.
template <typename Product, int kFirst, int H>
HWY_NOINLINE void RunStrip(const typename Product::Packed& m, int64_t block, int64_t strip, const Panel& panel,
                           int32_t* saved) {
  Sums<H> sum;
  LoadSums<H>(saved, kFirst, block == 0, sum);
  Product::template AddStrip<kFirst, H>(m, block, strip, panel, sum);
  StoreSums<H>(sum, kFirst, saved);
}

template <typename Product>
HWY_INLINE void RunHalves(const typename Product::Packed& m, int64_t block, int64_t strip, const Panel& panel,
                          int64_t tokens, int32_t* saved) {
  if (tokens <= 2 * kLanes) {
    RunStrip<Product, 0, 1>(m, block, strip, panel, saved);
  } else if constexpr (kHalvesAtOnce == 2) {
    RunStrip<Product, 0, 2>(m, block, strip, panel, saved);
  } else {
    RunStrip<Product, 0, 1>(m, block, strip, panel, saved);
    RunStrip<Product, 1, 1>(m, block, strip, panel, saved);
  }
}

/// y = x W^T: x [batch, cols], y [batch, rows].
template <typename Product, typename T>
void Multiply(const typename Product::Packed& m, const Int8Epilogue& epilogue, int64_t batch, const T* in, T* out) {
  constexpr int64_t kStrips = kGroupRows<T> / 4;
  const PanelWork work(m.strips(), m.cols(), batch, kPanel, kStrips);
  const bool stream = ShouldStream(out, batch, m.rows()), one_block = m.blocks() == 1;
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    Panel panel(m.cols(), Product::kInQuads);
    AlignedBuffer<int32_t> sums(RoundUp(one_block ? kStrips : work.strips, kStrips) * 4 * kPanel);
    std::fill_n(sums.data(), sums.bytes() / sizeof(int32_t), 0);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t token = item / work.ranges * kPanel, tokens = std::min(kPanel, batch - token);
      const int64_t first = std::min(item % work.ranges * work.strips, m.strips());
      const int64_t last = std::min(first + work.strips, m.strips());
      if (item == begin || item % work.ranges == 0) panel.Take(in + token * m.cols(), tokens, epilogue.activation);
      const ResultRows<T> results(epilogue, panel.tokens(), tokens, out + token * m.rows(), m.rows(), stream);
      const int64_t blocks = std::max<int64_t>(m.blocks(), 1);
      for (int64_t block = 0; block < blocks; ++block) {
        for (int64_t strip = first; strip < last; strip += kStrips) {
          int32_t* const group = sums.data() + (one_block ? 0 : strip - first) * 4 * kPanel;
          const int64_t in_group = std::min(kStrips, last - strip);
          for (int64_t i = 0; i < in_group; ++i) {
            RunHalves<Product>(m, block, strip + i, panel, tokens, group + i * 4 * kPanel);
          }
          if (block + 1 == blocks) {
            results.Write(group, strip * 4, std::min(in_group * 4, m.rows() - strip * 4));
          }
        }
      }
    }
    if (stream) FlushStream();
  });
}

template <typename Product>
void MultiplyAny(const Int8PackedWeight& weight, const Int8Epilogue& epilogue, int64_t batch, DType dtype,
                 const void* in, void* out) {
  const auto& m = static_cast<const typename Product::Packed&>(weight);
  if (dtype == DType::kF32) {
    Multiply<Product>(m, epilogue, batch, static_cast<const float*>(in), static_cast<float*>(out));
  } else {
    Multiply<Product>(m, epilogue, batch, static_cast<const BFloat16*>(in), static_cast<BFloat16*>(out));
  }
}

}  // namespace twofour::sparse::TWOFOUR_INT8
TWOFOUR_INT8_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_INT8_INT8_PRODUCT_INL_H_
