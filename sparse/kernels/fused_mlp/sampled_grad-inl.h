// The gradient of the hidden activations where these are not zero. It is zero elsewhere, because the derivative of
// ReLU^2 is, so only inner products for non-zeros are computed: a sampled product of two dense matrices. Compiled once
// for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_FUSED_MLP_SAMPLED_GRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_FUSED_MLP_SAMPLED_GRAD_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_FUSED_MLP_SAMPLED_GRAD_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_FUSED_MLP_SAMPLED_GRAD_INL_H_
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/half.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/pair_bucket/panel-inl.h"
#include "twofour/sparse/kernels/search/mask_passes.h"
#include "twofour/sparse/mask_view.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {

/// turned [mask.cols][pitch] = the transpose of `weight` [mask.rows, mask.cols] where the mask keeps, rounded to T.
/// Zeros follow the last row of the weight, up to `pitch`, a multiple of kGroup.
template <typename T>
void TurnMasked(const float* weight, const MaskView& mask, int64_t pitch, float* turned) {
  const int64_t cols = mask.cols;
  ParallelFor(pitch / kGroup, 1 + 16 * 1024 / (cols + 1), [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> masked(kGroup * cols);
    for (int64_t row = begin * kGroup; row < end * kGroup; row += kGroup) {
      std::fill_n(masked.data(), kGroup * cols, 0.0f);
      for (int64_t r = row; r < std::min(row + kGroup, mask.rows); r += kTileSize) {
        ApplyTiles(mask.tiles + r / kTileSize * mask.tile_cols(), cols, weight + r * cols,
                   masked.data() + (r - row) * cols);
      }
      if constexpr (!std::is_same_v<T, float>) {
        std::transform(masked.data(), masked.data() + kGroup * cols, masked.data(),
                       [](float x) { return static_cast<float>(T(x)); });
      }
      for (int64_t part = 0; part < kGroup; part += kLanes) {
        PackPanel(masked.data() + part * cols, cols, kLanes, cols, turned + row + part, pitch);
      }
    }
  });
}

/// results[i] = the inner product of w and row i of N rows, `count` elements each, a multiple of kLanes.
template <int N>
HWY_INLINE void InnerProducts(const float* const* rows, const float* HWY_RESTRICT w, int64_t count, float* results) {
  V sum[N];
  TWOFOUR_UNROLL
  for (int i = 0; i < N; ++i) sum[i] = hn::Zero(d);
  for (int64_t k = 0; k < count; k += kLanes) {
    const V x = hn::Load(d, w + k);
    TWOFOUR_UNROLL
    for (int i = 0; i < N; ++i) sum[i] = hn::MulAdd(x, hn::LoadU(d, rows[i] + k), sum[i]);
  }
  TWOFOUR_UNROLL
  for (int i = 0; i < N; ++i) results[i] = hn::GetLane(hn::SumOfLanes(d, sum[i]));
}

/// sums [kPanel] = the inner products of w with the rows of dy that have a bit, and 0 for others. Rows of dy are `ld`
/// elements apart.
inline void SampleRow(const float* dy, int64_t ld, const float* w, int64_t count, uint64_t bits, float* sums) {
  constexpr int kTogether = 8;
  std::fill_n(sums, kPanel, 0.0f);
  while (bits != 0) {
    int row[kTogether], n = 0;
    for (; n < kTogether && bits != 0; bits &= bits - 1) row[n++] = std::countr_zero(bits);
    const float* rows[kTogether];
    for (int i = 0; i < kTogether; ++i) rows[i] = dy + row[i < n ? i : 0] * ld;
    float results[kTogether];
    n > kTogether / 2 ? InnerProducts<kTogether>(rows, w, count, results)
                      : InnerProducts<kTogether / 2>(rows, w, count, results);
    for (int i = 0; i < n; ++i) sums[row[i]] = results[i];
  }
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_FUSED_MLP_SAMPLED_GRAD_INL_H_
