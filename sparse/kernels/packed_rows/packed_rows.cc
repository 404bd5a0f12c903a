#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <cstdint>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/packed_rows/packed_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/packed_rows/packed_rows.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/load_store-inl.h"
#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

/// Inner products of kRows rows of a quad of the weight with kBatch rows of x.
template <typename T, int kRows, int kBatch>
void DotRows(const PackedRowsView<T>& w, int64_t row, const float* x, float (&sums)[kRows][kBatch]) {
  for (int r = 0; r < kRows; ++r) {
    for (int b = 0; b < kBatch; ++b) {
      float sum = 0;
      for (int64_t block = 0; block < w.blocks; ++block) {
        const int64_t at = PackedBlockAt(row + r, block, w.blocks);
        for (int64_t group = 0; group < 4; ++group) {
          for (int64_t which = 0; which < 2; ++which) {
            const int64_t place = PlaceInBlock(group, which);
            const int position = w.positions[at] >> (2 * place) & 3;
            sum += static_cast<float>(w.values[at * kPackedRowsValues + place]) *
                   x[(b * w.blocks + block) * kPackedRowsBlock + 4 * group + position];
          }
        }
      }
      sums[r][b] = sum;
    }
  }
}

#else

using D = hn::CappedTag<float, 8>;
using DU = hn::RebindToUnsigned<D>;
using V = hn::Vec<D>;
constexpr int64_t kLanes = hn::MaxLanes(D());  // 4 or 8.
constexpr int64_t kAheadBytes = 2048;

/// Picks one of each block of four lanes for each lane of the block.
class Picker {
 public:
  /// Lane i picks the lane that bits 2 i + 2 first and 2 i + 2 first + 1 of `positions` say.
  Picker(uint16_t positions, int64_t first) {
    const DU du;
    const auto lane = hn::Iota(du, static_cast<uint32_t>(first));
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    // Only the lowest two bits of each lane count.
    lanes_ = hn::Shr(hn::Set(du, positions), hn::Add(lane, lane));
#else
    // A shift by another number in each lane, as a product: few of these processors have one.
    HWY_ALIGN static constexpr uint32_t kFactors[8] = {1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6, 1 << 4, 1 << 2, 1};
    (void)lane;
    const auto shifted = hn::ShiftRight<14>(hn::Mul(hn::Set(du, positions), hn::LoadU(du, kFactors + first)));
    const auto picked = hn::And(shifted, hn::Set(du, 3));
    // The bytes of lane p are 4 p to 4 p + 3.
    lanes_ = hn::Add(hn::Mul(picked, hn::Set(du, 0x04040404)), hn::Set(du, 0x03020100));
#endif
  }

  HWY_INLINE V operator()(V x) const {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    return V{_mm256_permutevar_ps(x.raw, lanes_.raw)};
#else
    return hn::BitCast(D(), hn::TableLookupBytes(hn::BitCast(DU(), x), lanes_));
#endif
  }

 private:
  hn::Vec<DU> lanes_;
};

template <typename T, int kRows, int kBatch>
void DotRows(const PackedRowsView<T>& w, int64_t row, const float* HWY_RESTRICT x, float (&sums)[kRows][kBatch]) {
  const D d;
  const DU du;
  V sum[kRows][kBatch];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int b = 0; b < kBatch; ++b) sum[r][b] = hn::Zero(d);
  }
  // The first two lanes of each block of four.
  const auto first_two = hn::RebindMask(d, hn::Eq(hn::And(hn::Iota(du, 0), hn::Set(du, 2)), hn::Zero(du)));
  const int64_t ldx = w.blocks * kPackedRowsBlock;
  const int64_t first = PackedBlockAt(row, 0, w.blocks);
  const int64_t quad_positions = w.blocks * kPackedRowsQuad, quad_values = quad_positions * kPackedRowsValues;
  const T* HWY_RESTRICT values = w.values + first * kPackedRowsValues;
  const uint16_t* HWY_RESTRICT positions = w.positions + first;
  for (int64_t block = 0; block < w.blocks; ++block) {
    // A processor foresees no further than the end of a page.
    TWOFOUR_UNROLL for (int r = 0; r < kRows; r += kPackedRowsQuad) {
      const T* const ahead = values + r / kPackedRowsQuad * quad_values + kAheadBytes / static_cast<int64_t>(sizeof(T));
      hwy::Prefetch(ahead);
      if (sizeof(T) == sizeof(float)) hwy::Prefetch(ahead + 64 / sizeof(T));
    }
    TWOFOUR_UNROLL for (int64_t part = 0; part < kPackedRowsValues; part += kLanes) {
      V low[kBatch], high[kBatch];  // Groups 0 and 1, and 2 and 3, or one of each.
      TWOFOUR_UNROLL for (int b = 0; b < kBatch; ++b) {
        const float* const at = x + b * ldx + block * kPackedRowsBlock + part;
        low[b] = hn::LoadU(d, at);
        high[b] = hn::LoadU(d, at + kPackedRowsBlock / 2);
      }
      TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
        const int64_t quad = r / kPackedRowsQuad, in_quad = r % kPackedRowsQuad;
        const Picker pick(positions[quad * quad_positions + in_quad], part);
        const V kept =
            kernels::HWY_NAMESPACE::LoadAsF32(d, values + quad * quad_values + in_quad * kPackedRowsValues + part);
        TWOFOUR_UNROLL for (int b = 0; b < kBatch; ++b) {
          sum[r][b] = hn::MulAdd(kept, hn::IfThenElse(first_two, pick(low[b]), pick(high[b])), sum[r][b]);
        }
      }
    }
    values += kPackedRowsQuad * kPackedRowsValues;
    positions += kPackedRowsQuad;
  }
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int b = 0; b < kBatch; ++b) sums[r][b] = hn::GetLane(hn::SumOfLanes(d, sum[r][b]));
  }
}

#endif

template <typename T, int kRows, int kBatch>
void WriteRows(const PackedRowsView<T>& w, int64_t row, const float* x, const float* bias, float* y) {
  float sums[kRows][kBatch];
  DotRows<T, kRows, kBatch>(w, row, x, sums);
  for (int r = 0; r < kRows && row + r < w.rows; ++r) {
    for (int b = 0; b < kBatch; ++b) {
      y[b * w.rows + row + r] = bias == nullptr ? sums[r][b] : sums[r][b] + bias[row + r];
    }
  }
}

template <typename T, int kBatch>
void MultiplyBatch(const PackedRowsView<T>& w, int64_t begin, int64_t end, const float* x, const float* bias,
                   float* y) {
  constexpr int kRows = kBatch <= 2 ? 4 : 2;  // As many sums as registers hold.
  const int64_t last = std::min(end * kPackedRowsQuad, w.rows);
  int64_t row = begin * kPackedRowsQuad;
  if constexpr (kBatch == 1) {
    // More streams of memory at once are read faster.
    constexpr int kThreeQuads = 3 * kPackedRowsQuad, kTwoQuads = 2 * kPackedRowsQuad;
    for (; row + kThreeQuads <= last; row += kThreeQuads) WriteRows<T, kThreeQuads, 1>(w, row, x, bias, y);
    for (; row + kTwoQuads <= last; row += kTwoQuads) WriteRows<T, kTwoQuads, 1>(w, row, x, bias, y);
  }
  for (; row < last; row += kRows) WriteRows<T, kRows, kBatch>(w, row, x, bias, y);
}

/// Writes the outputs of quads `begin` to `end` for each row of x.
template <typename T>
void MultiplyRange(const PackedRowsView<T>& w, int64_t begin, int64_t end, int64_t batch, const float* x,
                   const float* bias, float* y) {
  switch (batch) {
    case 1:
      return MultiplyBatch<T, 1>(w, begin, end, x, bias, y);
    case 2:
      return MultiplyBatch<T, 2>(w, begin, end, x, bias, y);
    case 3:
      return MultiplyBatch<T, 3>(w, begin, end, x, bias, y);
    default:
      return MultiplyBatch<T, 4>(w, begin, end, x, bias, y);
  }
}

TWOFOUR_NAME_INSTANCES(MultiplyRange);

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::sparse {
namespace {

TWOFOUR_EXPORT_INSTANCES(MultiplyRange);

/// Quads of rows that make it worth while to wake another thread.
template <typename T>
int64_t GrainOf(const PackedRowsView<T>& weight) {
  constexpr int64_t kBytes = 64 * 1024;
  const auto block_bytes = static_cast<int64_t>(kPackedRowsValues * sizeof(T) + sizeof(uint16_t));
  return CeilDiv(kBytes, kPackedRowsQuad * weight.blocks * block_bytes + 1);
}

}  // namespace

void MultiplyPackedQuads(const PackedRowsView<float>& weight, int64_t begin, int64_t end, int64_t batch, const float* x,
                         const float* bias, float* y) {
  TWOFOUR_DISPATCH_INSTANCE(MultiplyRange, float)(weight, begin, end, batch, x, bias, y);
}

void MultiplyPackedQuads(const PackedRowsView<BFloat16>& weight, int64_t begin, int64_t end, int64_t batch,
                         const float* x, const float* bias, float* y) {
  TWOFOUR_DISPATCH_INSTANCE(MultiplyRange, BFloat16)(weight, begin, end, batch, x, bias, y);
}

void MultiplyPackedRows(const PackedRowsView<float>& weight, int64_t batch, const float* x, const float* bias,
                        float* y) {
  ParallelFor(CeilDiv(weight.rows, kPackedRowsQuad), GrainOf(weight),
              [&](int64_t begin, int64_t end) { MultiplyPackedQuads(weight, begin, end, batch, x, bias, y); });
}

void MultiplyPackedRows(const PackedRowsView<BFloat16>& weight, int64_t batch, const float* x, const float* bias,
                        float* y) {
  ParallelFor(CeilDiv(weight.rows, kPackedRowsQuad), GrainOf(weight),
              [&](int64_t begin, int64_t end) { MultiplyPackedQuads(weight, begin, end, batch, x, bias, y); });
}

}  // namespace twofour::sparse
#endif  // HWY_ONCE
