// Panels: a few vectors of batch rows side by side, one feature after the other, [features][kPanel]. They are what the
// sparse kernels multiply. Here they are made from row-major matrices of f32 or bf16 and written back to such. Compiled
// once for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PANEL_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PANEL_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PANEL_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "twofour/core/kernels/gemm/float_gemm.h"
#include "twofour/core/kernels/gemm/float_gemm_load-inl.h"
#include "twofour/core/kernels/simd/load_store-inl.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using kernels::HWY_NAMESPACE::LoadAsF32;
using kernels::HWY_NAMESPACE::StoreFromF32;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
inline constexpr D d;
inline constexpr int kLanes = hn::MaxLanes(D());
// Four rows of accumulators, two weights and one activation must fit into the registers. There are 16 registers, or 32
// with AVX-512 and NEON.
#if HWY_TARGET == HWY_AVX3
inline constexpr int kVectors = 4;
#elif HWY_TARGET == HWY_NEON
inline constexpr int kVectors = 6;
#elif HWY_TARGET == HWY_SCALAR
inline constexpr int kVectors = 4;  // There are no vectors, but a panel must still be a multiple of four rows.
#else
inline constexpr int kVectors = 3;
#endif
inline constexpr int64_t kPanel = int64_t{kVectors} * kLanes;
static_assert(kPanel % 4 == 0 && kPanel <= 64);  // See PanelMatrix.
/// Features that are written back together: they fill a cache line of the row-major matrix.
inline constexpr int64_t kGroup = 16;
static_assert(kGroup % kLanes == 0);

/// Weights beside activations of bf16.
HWY_INLINE V LoadAsF32(D, const kernels::FloatAsBf16* from) {
  return kernels::HWY_NAMESPACE::float_gemm::LoadF32(d, from);
}

/// Keeps a loaded vector in a register. Without this, compilers fold the load into each multiply-add that uses the
/// vector. Then it is loaded once for each of them, and loads are what limits the kernels. Portable vectors are arrays,
/// which cannot be kept in a register.
HWY_INLINE V Loaded(V v) {
#if HWY_TARGET & (HWY_AVX3 | HWY_AVX2 | HWY_SSE4) && (HWY_COMPILER_GCC || HWY_COMPILER_CLANG)
  asm("" : "+v"(v.raw));
#endif
  return v;
}

/// Transposes kLanes vectors in place.
HWY_INLINE void TransposeSquare(V (&r)[kLanes]) {
#if HWY_TARGET == HWY_SCALAR
  (void)r;
#else
  V t[kLanes];
  // First 4x4 within each block of four lanes. Afterwards t[4 g + j] holds, block by block, columns j, 4 + j, ... of
  // the rows of group g.
  TWOFOUR_UNROLL
  for (int g = 0; g < kLanes; g += 4) {
    const V a = hn::InterleaveLower(d, r[g], r[g + 2]), b = hn::InterleaveLower(d, r[g + 1], r[g + 3]);
    const V c = hn::InterleaveUpper(d, r[g], r[g + 2]), e = hn::InterleaveUpper(d, r[g + 1], r[g + 3]);
    t[g] = hn::InterleaveLower(d, a, b);
    t[g + 1] = hn::InterleaveUpper(d, a, b);
    t[g + 2] = hn::InterleaveLower(d, c, e);
    t[g + 3] = hn::InterleaveUpper(d, c, e);
  }
  // Then the blocks themselves.
#if HWY_TARGET == HWY_AVX3
  TWOFOUR_UNROLL
  for (int j = 0; j < 4; ++j) {
    const V b0 = t[j], b1 = t[4 + j], b2 = t[8 + j], b3 = t[12 + j];
    const V even01 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b1), b0);
    const V odd01 = hn::OddEvenBlocks(b1, hn::SwapAdjacentBlocks(b0));
    const V even23 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b3), b2);
    const V odd23 = hn::OddEvenBlocks(b3, hn::SwapAdjacentBlocks(b2));
    r[j] = hn::ConcatLowerLower(d, even23, even01);
    r[4 + j] = hn::ConcatLowerLower(d, odd23, odd01);
    r[8 + j] = hn::ConcatUpperUpper(d, even23, even01);
    r[12 + j] = hn::ConcatUpperUpper(d, odd23, odd01);
  }
#elif HWY_TARGET == HWY_AVX2
  TWOFOUR_UNROLL
  for (int j = 0; j < 4; ++j) {
    r[j] = hn::ConcatLowerLower(d, t[4 + j], t[j]);
    r[4 + j] = hn::ConcatUpperUpper(d, t[4 + j], t[j]);
  }
#else
  TWOFOUR_UNROLL
  for (int j = 0; j < 4; ++j) r[j] = t[j];
#endif
#endif  // HWY_SCALAR
}

/// panel [cols][pitch] = the transpose of `rows` <= pitch rows of x, which are `ld` elements apart. Lanes beyond
/// `rows` in the last vector in use become 0. Vectors beyond it are not written.
template <int64_t kPitch = kPanel, typename T>
HWY_INLINE void PackPanel(const T* HWY_RESTRICT x, int64_t ld, int64_t rows, int64_t cols, float* HWY_RESTRICT panel,
                          int64_t pitch = kPitch) {
  const int64_t whole = cols / kLanes * kLanes;
  for (int64_t first = 0; first < rows; first += kLanes) {
    const T* from = x + first * ld;
    const int64_t valid = std::min<int64_t>(kLanes, rows - first);
    for (int64_t c = 0; c < whole; c += kLanes) {
      V r[kLanes];
      if (valid == kLanes) {
        TWOFOUR_UNROLL
        for (int i = 0; i < kLanes; ++i) r[i] = LoadAsF32(d, from + i * ld + c);
      } else {
        for (int i = 0; i < kLanes; ++i) r[i] = i < valid ? LoadAsF32(d, from + i * ld + c) : hn::Zero(d);
      }
      TransposeSquare(r);
      TWOFOUR_UNROLL
      for (int i = 0; i < kLanes; ++i) hn::Store(r[i], d, panel + (c + i) * pitch + first);
    }
    for (int64_t c = whole; c < cols; ++c) {
      for (int64_t i = 0; i < kLanes; ++i) {
        panel[c * pitch + first + i] = i < valid ? static_cast<float>(from[i * ld + c]) : 0.0f;
      }
    }
  }
}

/// Writes panel [cols][kPitch], cols <= kGroup, to `rows` <= kPitch row-major rows of out, which are `ld` elements
/// apart. With `stream`, it writes past the caches. That is for results of f32 that do not fit into the caches: memory
/// then need not be read before it is written. out and ld must then be aligned to kGroup elements.
template <int64_t kPitch = kPanel, typename T>
HWY_INLINE void UnpackGroup(const float* HWY_RESTRICT panel, int64_t cols, int64_t rows, T* HWY_RESTRICT out,
                            int64_t ld, bool stream) {
  constexpr int kPerGroup = kGroup / kLanes;
  if (cols != kGroup) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < cols; ++c) out[row * ld + c] = static_cast<T>(panel[c * kPitch + row]);
    }
    return;
  }
  for (int64_t first = 0; first < rows; first += kLanes) {
    V r[kPerGroup][kLanes];
    TWOFOUR_UNROLL
    for (int g = 0; g < kPerGroup; ++g) {
      TWOFOUR_UNROLL
      for (int i = 0; i < kLanes; ++i) r[g][i] = hn::Load(d, panel + (g * kLanes + i) * kPitch + first);
      TransposeSquare(r[g]);
    }
    const int64_t valid = std::min<int64_t>(kLanes, rows - first);
    TWOFOUR_UNROLL
    for (int i = 0; i < kLanes; ++i) {
      if (i >= valid) break;
      T* const to = out + (first + i) * ld;
      TWOFOUR_UNROLL
      for (int g = 0; g < kPerGroup; ++g) {
        if constexpr (std::is_same_v<T, float>) {
          if (stream) {
            hn::Stream(r[g][i], d, to + g * kLanes);
            continue;
          }
        }
        StoreFromF32(d, r[g][i], to + g * kLanes);
      }
    }
  }
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_PANEL_INL_H_
