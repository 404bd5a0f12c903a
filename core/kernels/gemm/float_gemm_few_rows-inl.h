// Products of few rows, for which packing B costs more than it saves. Compiled once for each instruction set (see
// hwy/foreach_target.h).
#if defined(TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_FEW_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_FEW_ROWS_INL_H_
#undef TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_FEW_ROWS_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_FEW_ROWS_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "twofour/core/kernels/gemm/float_gemm_load-inl.h"
#include "twofour/core/kernels/gemm/float_gemm_tile-inl.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {
namespace float_gemm {
/// Rows of A and of B in one tile of inner products.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kDotRows = 4, kDotCols = 6;
#else
inline constexpr int kDotRows = 3, kDotCols = 4;
#endif
/// The depth at which the rows of B of one tile stay in the first-level cache.
inline constexpr int64_t kDotDepth = 1024;

/// kRows x kCols inner products of rows of A and rows of (transposed) B.
template <int kRows, int kCols, typename T>
void Dots(int64_t depth, const float* HWY_RESTRICT a, int64_t lda, const T* HWY_RESTRICT b, int64_t ldb,
          float* HWY_RESTRICT c, int64_t ldc, bool accumulate) {
  V sum[kRows][kCols];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int j = 0; j < kCols; ++j) sum[r][j] = hn::Zero(d);
  }
  int64_t l = 0;
  for (; l + kLanes <= depth; l += kLanes) {
    V x[kRows];
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) x[r] = hn::LoadU(d, a + r * lda + l);
    TWOFOUR_UNROLL for (int j = 0; j < kCols; ++j) {
      const V w = LoadF32(d, b + j * ldb + l);
      TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) sum[r][j] = hn::MulAdd(w, x[r], sum[r][j]);
    }
  }
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int j = 0; j < kCols; ++j) {
      float total = hn::GetLane(hn::SumOfLanes(d, sum[r][j]));
      for (int64_t rest = l; rest < depth; ++rest) total += a[r * lda + rest] * static_cast<float>(b[j * ldb + rest]);
      float& at = c[r * ldc + j];
      at = accumulate ? at + total : total;
    }
  }
}

template <int kCols, typename T>
void DotsOfRows(int64_t rows, int64_t depth, const float* a, int64_t lda, const T* b, int64_t ldb, float* c,
                int64_t ldc, bool accumulate) {
  int64_t r = 0;
  for (; r + kDotRows <= rows; r += kDotRows)
    Dots<kDotRows, kCols>(depth, a + r * lda, lda, b, ldb, c + r * ldc, ldc, accumulate);
  if (rows - r == 2) {
    Dots<2, kCols>(depth, a + r * lda, lda, b, ldb, c + r * ldc, ldc, accumulate);
    r += 2;
  }
  for (; r < rows; ++r) Dots<1, kCols>(depth, a + r * lda, lda, b, ldb, c + r * ldc, ldc, accumulate);
}

template <typename B>
void RunDots(const GemmProblem<float, B, float>& p) {
  const int64_t tiles = CeilDiv(p.n, kDotCols);
  ParallelFor(tiles, CeilDiv(kLeastWork, p.m * kDotCols * p.k), [&](int64_t begin, int64_t end) {
    ForEachPart(p.k, kDotDepth, [&](int64_t first, int64_t last) {
      const bool accumulate = p.accumulate || first > 0;
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t col = tile * kDotCols, width = std::min<int64_t>(kDotCols, p.n - col);
        if (width == kDotCols) {
          DotsOfRows<kDotCols>(p.m, last - first, p.a + first, p.lda, p.b + col * p.ldb + first, p.ldb, p.c + col,
                               p.ldc, accumulate);
        } else {
          for (int64_t j = 0; j < width; ++j)
            DotsOfRows<1>(p.m, last - first, p.a + first, p.lda, p.b + (col + j) * p.ldb + first, p.ldb, p.c + col + j,
                          p.ldc, accumulate);
        }
      }
    });
  });
}

/// c[j] += sum over r of a[r * stride] b[r][j], for j in [first, last).
template <int kRows, typename T>
void AddRows(const float* a, int64_t stride, const T* HWY_RESTRICT b, int64_t ldb, int64_t first, int64_t last,
             float* HWY_RESTRICT c) {
  V w[kRows];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) w[r] = hn::Set(d, a[r * stride]);
  int64_t j = first;
  for (; j + kLanes <= last; j += kLanes) {
    V sum = hn::LoadU(d, c + j);
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) sum = hn::MulAdd(w[r], LoadF32(d, b + r * ldb + j), sum);
    hn::StoreU(sum, d, c + j);
  }
  for (; j < last; ++j) {
    for (int r = 0; r < kRows; ++r) c[j] += a[r * stride] * static_cast<float>(b[r * ldb + j]);
  }
}

/// One row times a matrix that is not transposed. B is read only once, so it is not packed. Several of its rows are
/// read side by side.
template <typename B>
void RunRow(const GemmProblem<float, B, float>& p) {
  constexpr int64_t kRowsOfB = 8, kUnit = 64;
  const int64_t stride = p.transpose_a == Transpose::kYes ? p.lda : 1;
  ParallelFor(CeilDiv(p.n, kUnit), CeilDiv(kLeastWork, kUnit * p.k), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kUnit, last = std::min(end * kUnit, p.n);
    if (!p.accumulate) std::fill(p.c + first, p.c + last, 0.0f);
    for (int64_t l = 0; l < p.k; l += kRowsOfB) {
      if (l + kRowsOfB <= p.k) {
        AddRows<kRowsOfB>(p.a + l * stride, stride, p.b + l * p.ldb, p.ldb, first, last, p.c);
        continue;
      }
      for (int64_t rest = l; rest < p.k; ++rest) {
        AddRows<1>(p.a + rest * stride, stride, p.b + rest * p.ldb, p.ldb, first, last, p.c);
      }
    }
  });
}

}  // namespace float_gemm
}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_FEW_ROWS_INL_H_
