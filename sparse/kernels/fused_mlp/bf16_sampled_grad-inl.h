// The gradient of the hidden activations where these are not zero. It is zero elsewhere, because the derivative of
// ReLU^2 is, so only inner products for non-zeros are computed: a sampled product of two dense matrices. Compiled
// twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_SAMPLED_GRAD_INL_H_
#define TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_SAMPLED_GRAD_INL_H_

#include <algorithm>
#include <bit>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_panel-inl.h"
#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"
#include "twofour/sparse/kernels/search/mask_passes.h"
#include "twofour/sparse/mask_view.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

/// turned [mask.cols][pitch] = the transpose of `weight` [mask.rows, mask.cols] where the mask keeps, rounded. Zeros
/// follow the last row of the weight, up to `pitch`, a multiple of kSquare.
inline void TurnMasked(const float* weight, const MaskView& mask, int64_t pitch, BFloat16* turned) {
  const int64_t cols = mask.cols;
  ParallelFor(pitch / kSquare, 1 + 16 * 1024 / (cols + 1), [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> masked((kSquare + 1) * cols + kSquare);  // The last square may reach beyond its rows.
    for (int64_t row = begin * kSquare; row < end * kSquare; row += kSquare) {
      std::fill_n(masked.data(), kSquare * cols, 0.0f);
      for (int64_t r = row; r < std::min(row + kSquare, mask.rows); r += kTileSize) {
        ApplyTiles(mask.tiles + r / kTileSize * mask.tile_cols(), cols, weight + r * cols,
                   masked.data() + (r - row) * cols);
      }
      for (int64_t col = 0; col < cols; col += kSquare) {
        Square square;
        LoadSquare(masked.data() + col, cols, square);
        for (int64_t i = 0; i < std::min(kSquare, cols - col); ++i) {
          const int pair = static_cast<int>(i / 2);
          StorePairs(i % 2 == 0 ? square.Even(pair) : square.Odd(pair), turned + (col + i) * pitch + row);
        }
      }
    }
  });
}

/// results[i] = the inner product of w and row i of N rows, `count` elements each, a multiple of kSquare.
template <int N>
HWY_INLINE void InnerProducts(const BFloat16* const* rows, const BFloat16* w, int64_t count, float* results) {
  Floats sum[N];
  TWOFOUR_UNROLL
  for (int i = 0; i < N; ++i) sum[i] = ZeroFloats();
  for (int64_t k = 0; k < count; k += kSquare) {
    const Pairs x = LoadPairs(w + k);
    TWOFOUR_UNROLL
    for (int i = 0; i < N; ++i) sum[i] = DotPairs(sum[i], x, LoadPairs(rows[i] + k));
  }
  TWOFOUR_UNROLL
  for (int i = 0; i < N; ++i) results[i] = SumOf(sum[i]);
}

/// Where InterleaveLower and InterleaveUpper put batch row `row` of a panel, of which each square fills two vectors.
inline int PlaceOfRow(int row) { return row / 32 * 32 + row % 8 / 4 * 16 + row % 32 / 8 * 4 + row % 4; }

/// sums [kPanel] = the inner products of w with the rows of dy that have a bit, and 0 for others, in PlaceOfRow's
/// order. Rows of dy are `ld` elements apart.
inline void SampleRow(const BFloat16* dy, int64_t ld, const BFloat16* w, int64_t count, uint64_t bits, float* sums) {
  constexpr int kTogether = 8;
  std::fill_n(sums, kPanel, 0.0f);
  while (bits != 0) {
    int row[kTogether], n = 0;
    for (; n < kTogether && bits != 0; bits &= bits - 1) row[n++] = std::countr_zero(bits);
    const BFloat16* rows[kTogether];
    for (int i = 0; i < kTogether; ++i) rows[i] = dy + row[i < n ? i : 0] * ld;
    float results[kTogether];
    n > kTogether / 2 ? InnerProducts<kTogether>(rows, w, count, results)
                      : InnerProducts<kTogether / 2>(rows, w, count, results);
    for (int i = 0; i < n; ++i) sums[PlaceOfRow(row[i])] = results[i];
  }
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_SAMPLED_GRAD_INL_H_
