// Copies blocks of A and B in the order in which tiles read them. Compiled once for each instruction set (see
// hwy/foreach_target.h).
#if defined(TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_PACK_INL_H_
#undef TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_PACK_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_PACK_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "twofour/core/kernels/gemm/float_gemm_load-inl.h"
#include "twofour/core/kernels/gemm/float_gemm_tile-inl.h"
#include "twofour/core/kernels/gemm/gemm.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {
namespace float_gemm {
#if HWY_TARGET != HWY_SCALAR
/// Loads a vector of floats from blocks of four elements that are `stride` apart.
template <class DV, typename T>
HWY_INLINE hn::Vec<DV> LoadBlocks(DV dv, const T* from, int64_t stride) {
  if constexpr (hn::MaxLanes(DV()) == 4) {
    return LoadF32(dv, from);
  } else {
    const hn::Half<DV> half;
    constexpr int64_t kHalfBlocks = hn::MaxLanes(DV()) / 8;
    return hn::Combine(dv, LoadBlocks(half, from + kHalfBlocks * stride, stride), LoadBlocks(half, from, stride));
  }
}
#endif

/// to[c][r] = from[r][c] for r in [0, rows) and c in [0, cols).
template <typename T>
void TransposeInto(int64_t rows, int64_t cols, const T* HWY_RESTRICT from, int64_t from_stride, float* HWY_RESTRICT to,
                   int64_t to_stride) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; r + kLanes <= rows; r += kLanes) {
    const T* const row = from + r * from_stride;
    int64_t c = 0;
    for (; c + 4 <= cols; c += 4) {
      // Block b of four lanes of v[i] holds four columns of row 4 b + i.
      V v[4];
      TWOFOUR_UNROLL for (int i = 0; i < 4; ++i) v[i] = LoadBlocks(d, row + i * from_stride + c, 4 * from_stride);
      const V even_low = hn::InterleaveLower(d, v[0], v[2]), odd_low = hn::InterleaveLower(d, v[1], v[3]);
      const V even_high = hn::InterleaveUpper(d, v[0], v[2]), odd_high = hn::InterleaveUpper(d, v[1], v[3]);
      float* const at = to + c * to_stride + r;
      hn::StoreU(hn::InterleaveLower(d, even_low, odd_low), d, at);
      hn::StoreU(hn::InterleaveUpper(d, even_low, odd_low), d, at + to_stride);
      hn::StoreU(hn::InterleaveLower(d, even_high, odd_high), d, at + 2 * to_stride);
      hn::StoreU(hn::InterleaveUpper(d, even_high, odd_high), d, at + 3 * to_stride);
    }
    for (; c < cols; ++c) {
      for (int64_t i = 0; i < kLanes; ++i) to[c * to_stride + r + i] = static_cast<float>(row[i * from_stride + c]);
    }
  }
#endif
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) to[c * to_stride + r] = static_cast<float>(from[r * from_stride + c]);
  }
}

/// Packs rows [row, row + rows) and depth [first, first + depth) of op(A) into [rows][kPitch], as floats.
template <typename A, typename B>
void PackA(const GemmProblem<A, B, float>& p, int64_t row, int64_t rows, int64_t first, int64_t depth, float* to) {
  if (p.transpose_a == Transpose::kYes) {
    TransposeInto(depth, rows, p.a + first * p.lda + row, p.lda, to, kPitch);
  } else {
    for (int64_t r = 0; r < rows; ++r) CopyAsF32(depth, p.a + (row + r) * p.lda + first, to + r * kPitch);
  }
}

/// Packs columns [col, col + width) of op(B) into panels of floats, [depth][kPanel] each. Zeros follow the last column.
template <typename A, typename B>
void PackB(const GemmProblem<A, B, float>& p, int64_t col, int64_t width, int64_t first, int64_t depth, float* to) {
  const int64_t whole = width / kPanel, rest = width % kPanel;
  if (rest > 0) std::fill_n(to + whole * depth * kPanel, depth * kPanel, 0.0f);
  if (p.transpose_b == Transpose::kYes) {
    const B* const from = p.b + col * p.ldb + first;
    for (int64_t j = 0; j < width; j += kPanel) {
      TransposeInto(std::min(kPanel, width - j), depth, from + j * p.ldb, p.ldb, to + j * depth, kPanel);
    }
    return;
  }
  for (int64_t l = 0; l < depth; ++l) {
    const B* const from = p.b + (first + l) * p.ldb + col;
    float* const row = to + l * kPanel;
    for (int64_t panel = 0; panel < whole; ++panel) {
      for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
        hn::StoreU(LoadF32(d, from + panel * kPanel + lane), d, row + panel * depth * kPanel + lane);
      }
    }
    CopyAsF32(rest, from + whole * kPanel, row + whole * depth * kPanel);
  }
}

}  // namespace float_gemm
}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_PACK_INL_H_
