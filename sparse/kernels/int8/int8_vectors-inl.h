// Vectors for kernels that multiply quads of 8 bits, each instruction behind a function of one line. A kernel is
// written once, in a file NAME-inl.h, and compiled for each set: a file defines TWOFOUR_INT8_SET before it includes
// this one.
//
// | TWOFOUR_INT8_SET | instructions | vectors |
// | --- | --- | --- |
// | 0 | none: the bits of set 3 on any processor, slowly, for tests | 64 bytes |
// | 1 | AVX2, which multiplies pairs of 16 bits. Products of bytes (vpmaddubsw) would saturate | 32 bytes |
// | 2 | AVX_VNNI (vpdpbusd) | 32 bytes |
// | 3 | AVX512_VNNI (vpdpbusd) | 64 bytes |
//
// A quad is four bytes in 32 bits, the first in the lowest. Every file that includes this one puts its code between
// TWOFOUR_INT8_BEFORE and TWOFOUR_INT8_AFTER, in the namespace TWOFOUR_INT8.
#if !defined(TWOFOUR_INT8_SET)
#error "define TWOFOUR_INT8_SET as 0 to 3"
#endif

#ifndef TWOFOUR_SPARSE_KERNELS_INT8_INT8_VECTORS_INL_H_
#define TWOFOUR_SPARSE_KERNELS_INT8_INT8_VECTORS_INL_H_

#include <hwy/base.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#if TWOFOUR_INT8_SET > 0
#if HWY_COMPILER_GCC && !HWY_COMPILER_CLANG
// GCC 12 warns falsely of intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#endif

#include "twofour/core/half.h"
#include "twofour/core/isa.h"
#include "twofour/core/kernels/simd/unroll.h"

#if TWOFOUR_INT8_SET == 3
#define TWOFOUR_INT8 int8_avx512vnni
#define TWOFOUR_INT8_BEFORE \
  HWY_PUSH_ATTRIBUTES("avx2,bmi,bmi2,popcnt,lzcnt,fma,f16c,avx512f,avx512vl,avx512dq,avx512bw,avx512vnni")
#define TWOFOUR_INT8_AFTER HWY_POP_ATTRIBUTES
#elif TWOFOUR_INT8_SET == 2
#define TWOFOUR_INT8 int8_avxvnni
#define TWOFOUR_INT8_BEFORE HWY_PUSH_ATTRIBUTES("avx2,bmi,bmi2,popcnt,lzcnt,fma,f16c,avxvnni")
#define TWOFOUR_INT8_AFTER HWY_POP_ATTRIBUTES
#elif TWOFOUR_INT8_SET == 1
#define TWOFOUR_INT8 int8_avx2
#define TWOFOUR_INT8_BEFORE HWY_PUSH_ATTRIBUTES("avx2,bmi,bmi2,popcnt,lzcnt,fma,f16c")
#define TWOFOUR_INT8_AFTER HWY_POP_ATTRIBUTES
#else
#define TWOFOUR_INT8 int8_emulated
#define TWOFOUR_INT8_BEFORE
#define TWOFOUR_INT8_AFTER
#endif

TWOFOUR_INT8_BEFORE
namespace twofour::sparse::TWOFOUR_INT8 {

/// Bytes of a vector.
inline constexpr int kBytes = TWOFOUR_INT8_SET == 1 || TWOFOUR_INT8_SET == 2 ? 32 : 64;
/// Its quads, integers or floats.
inline constexpr int kLanes = kBytes / 4;
inline constexpr Isa kIsa = TWOFOUR_INT8_SET == 3   ? Isa::kAvx512Vnni
                            : TWOFOUR_INT8_SET == 2 ? Isa::kAvxVnni
                            : TWOFOUR_INT8_SET == 1 ? Isa::kAvx2
                                                    : Isa::kAny;

#if TWOFOUR_INT8_SET == 3

/// kBytes bytes, kLanes quads or kLanes integers.
using Ints = __m512i;
using Floats = __m512;

HWY_INLINE Ints Load(const void* from) { return _mm512_loadu_si512(from); }
HWY_INLINE void Store(Ints x, void* to) { _mm512_storeu_si512(to, x); }
HWY_INLINE void Stream(Ints x, void* to) { _mm512_stream_si512(static_cast<__m512i*>(to), x); }
HWY_INLINE Ints SetInts(int32_t x) { return _mm512_set1_epi32(x); }
HWY_INLINE Ints Lower8(Ints a, Ints b) { return _mm512_unpacklo_epi8(a, b); }
HWY_INLINE Ints Upper8(Ints a, Ints b) { return _mm512_unpackhi_epi8(a, b); }
HWY_INLINE Ints Lower16(Ints a, Ints b) { return _mm512_unpacklo_epi16(a, b); }
HWY_INLINE Ints Upper16(Ints a, Ints b) { return _mm512_unpackhi_epi16(a, b); }
HWY_INLINE Ints Lower32(Ints a, Ints b) { return _mm512_unpacklo_epi32(a, b); }
HWY_INLINE Ints Upper32(Ints a, Ints b) { return _mm512_unpackhi_epi32(a, b); }
HWY_INLINE Ints Lower64(Ints a, Ints b) { return _mm512_unpacklo_epi64(a, b); }
HWY_INLINE Ints Upper64(Ints a, Ints b) { return _mm512_unpackhi_epi64(a, b); }
/// Byte 4 i + j of each 16 becomes byte 4 j + i.
HWY_INLINE Ints TransposeBytes(Ints x) {
  const __m128i places = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(places));
}
HWY_INLINE Ints AddInts(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
HWY_INLINE Ints SubInts(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
HWY_INLINE Ints MulInts(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }

HWY_INLINE Floats SetFloats(float x) { return _mm512_set1_ps(x); }
HWY_INLINE Floats LoadFloats(const float* from) { return _mm512_loadu_ps(from); }
HWY_INLINE Floats LoadFloats(const BFloat16* from) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
HWY_INLINE Floats Mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
HWY_INLINE Floats Add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
HWY_INLINE Floats Min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
HWY_INLINE Floats Max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
HWY_INLINE Floats ToFloats(Ints x) { return _mm512_cvtepi32_ps(x); }
HWY_INLINE Ints AsInts(Floats x) { return _mm512_castps_si512(x); }
/// The nearest integers, to even where two are.
HWY_INLINE Ints ToNearest(Floats x) { return _mm512_cvtps_epi32(x); }
/// Integers as bytes, saturated to 0 to 255.
HWY_INLINE void StoreBytes(Ints x, uint8_t* to) {
  const __m128i bytes = _mm512_cvtusepi32_epi8(_mm512_max_epi32(x, _mm512_setzero_si512()));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}
/// Floats as bf16 in the lower halves of lanes, rounded to nearest even. NaNs stay NaNs.
HWY_INLINE __m512i RoundLanes(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x00400000));
  return _mm512_srli_epi32(_mm512_mask_mov_epi32(sum, nan, quiet), 16);
}
/// 2 * kLanes floats as bf16.
HWY_INLINE Ints RoundToBf16(Floats low, Floats high) {
  const __m256i lower = _mm512_cvtepi32_epi16(RoundLanes(low)), upper = _mm512_cvtepi32_epi16(RoundLanes(high));
  return _mm512_inserti64x4(_mm512_castsi256_si512(lower), upper, 1);
}

/// Quads of bytes as products take them.
using Quads = Ints;
HWY_INLINE Quads AsQuads(Ints x) { return x; }
/// Quads of signed bytes: one for all lanes.
using Weights = Ints;
HWY_INLINE Weights SetWeights(uint32_t quad) { return _mm512_set1_epi32(static_cast<int>(quad)); }
/// sum + the four products of an unsigned and a signed byte of each lane, exactly.
HWY_INLINE Ints Dot(Ints sum, Quads x, Weights w) { return _mm512_dpbusd_epi32(sum, x, w); }

#elif TWOFOUR_INT8_SET > 0

using Ints = __m256i;
using Floats = __m256;

HWY_INLINE Ints Load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
HWY_INLINE void Store(Ints x, void* to) { _mm256_storeu_si256(static_cast<__m256i*>(to), x); }
HWY_INLINE void Stream(Ints x, void* to) { _mm256_stream_si256(static_cast<__m256i*>(to), x); }
HWY_INLINE Ints SetInts(int32_t x) { return _mm256_set1_epi32(x); }
HWY_INLINE Ints Lower8(Ints a, Ints b) { return _mm256_unpacklo_epi8(a, b); }
HWY_INLINE Ints Upper8(Ints a, Ints b) { return _mm256_unpackhi_epi8(a, b); }
HWY_INLINE Ints Lower16(Ints a, Ints b) { return _mm256_unpacklo_epi16(a, b); }
HWY_INLINE Ints Upper16(Ints a, Ints b) { return _mm256_unpackhi_epi16(a, b); }
HWY_INLINE Ints Lower32(Ints a, Ints b) { return _mm256_unpacklo_epi32(a, b); }
HWY_INLINE Ints Upper32(Ints a, Ints b) { return _mm256_unpackhi_epi32(a, b); }
HWY_INLINE Ints Lower64(Ints a, Ints b) { return _mm256_unpacklo_epi64(a, b); }
HWY_INLINE Ints Upper64(Ints a, Ints b) { return _mm256_unpackhi_epi64(a, b); }
HWY_INLINE Ints TransposeBytes(Ints x) {
  const __m128i places = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(places));
}
HWY_INLINE Ints AddInts(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
HWY_INLINE Ints SubInts(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
HWY_INLINE Ints MulInts(Ints a, Ints b) { return _mm256_mullo_epi32(a, b); }

HWY_INLINE Floats SetFloats(float x) { return _mm256_set1_ps(x); }
HWY_INLINE Floats LoadFloats(const float* from) { return _mm256_loadu_ps(from); }
HWY_INLINE Floats LoadFloats(const BFloat16* from) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
HWY_INLINE Floats Mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
HWY_INLINE Floats Add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
HWY_INLINE Floats Min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
HWY_INLINE Floats Max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
HWY_INLINE Floats ToFloats(Ints x) { return _mm256_cvtepi32_ps(x); }
HWY_INLINE Ints AsInts(Floats x) { return _mm256_castps_si256(x); }
HWY_INLINE Ints ToNearest(Floats x) { return _mm256_cvtps_epi32(x); }
HWY_INLINE void StoreBytes(Ints x, uint8_t* to) {
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
}
HWY_INLINE __m256i RoundLanes(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i sum = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x00400000));
  return _mm256_srli_epi32(_mm256_blendv_epi8(sum, quiet, nan), 16);
}
HWY_INLINE Ints RoundToBf16(Floats low, Floats high) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(RoundLanes(low), RoundLanes(high)), 0xd8);
}

#if TWOFOUR_INT8_SET == 2
using Quads = Ints;
HWY_INLINE Quads AsQuads(Ints x) { return x; }
using Weights = Ints;
HWY_INLINE Weights SetWeights(uint32_t quad) { return _mm256_set1_epi32(static_cast<int>(quad)); }
HWY_INLINE Ints Dot(Ints sum, Quads x, Weights w) { return _mm256_dpbusd_avx_epi32(sum, x, w); }
#else
/// The first and third bytes, and the second and fourth, as numbers of 16 bits.
struct Quads {
  Ints even, odd;
};
HWY_INLINE Quads AsQuads(Ints x) { return {_mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(x, 8)}; }
using Weights = Quads;
HWY_INLINE Weights SetWeights(uint32_t quad) {
  const __m256i all = _mm256_set1_epi32(static_cast<int>(quad));
  return {_mm256_srai_epi16(_mm256_slli_epi16(all, 8), 8), _mm256_srai_epi16(all, 8)};
}
/// A product is at most 255 * 127, so two of them and a sum that has not overflowed are exact.
HWY_INLINE Ints Dot(Ints sum, Quads x, Weights w) {
  const Ints products = AddInts(_mm256_madd_epi16(x.even, w.even), _mm256_madd_epi16(x.odd, w.odd));
  return AddInts(sum, products);
}
#endif

#endif

}  // namespace twofour::sparse::TWOFOUR_INT8
TWOFOUR_INT8_AFTER

#if TWOFOUR_INT8_SET == 0
#include "twofour/sparse/kernels/int8/int8_vectors_emulated-inl.h"
#endif

TWOFOUR_INT8_BEFORE
namespace twofour::sparse::TWOFOUR_INT8 {

#if TWOFOUR_INT8_SET > 0
/// Transposes kLanes vectors of 32-bit elements in place.
HWY_INLINE void Transpose(Ints (&r)[kLanes]) {
  Ints t[kLanes];
  TWOFOUR_UNROLL
  for (int g = 0; g < kLanes; g += 4) {
    const Ints a = Lower32(r[g], r[g + 1]), b = Lower32(r[g + 2], r[g + 3]);
    const Ints c = Upper32(r[g], r[g + 1]), d = Upper32(r[g + 2], r[g + 3]);
    t[g] = Lower64(a, b), t[g + 1] = Upper64(a, b), t[g + 2] = Lower64(c, d), t[g + 3] = Upper64(c, d);
  }
#if TWOFOUR_INT8_SET == 3
  TWOFOUR_UNROLL
  for (int j = 0; j < 4; ++j) {
    const Ints even01 = _mm512_shuffle_i32x4(t[j], t[4 + j], 0x88), odd01 = _mm512_shuffle_i32x4(t[j], t[4 + j], 0xdd);
    const Ints even23 = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0x88);
    const Ints odd23 = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0xdd);
    r[j] = _mm512_shuffle_i32x4(even01, even23, 0x88), r[4 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
    r[8 + j] = _mm512_shuffle_i32x4(even01, even23, 0xdd), r[12 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0xdd);
  }
#else
  TWOFOUR_UNROLL
  for (int j = 0; j < 4; ++j) {
    r[j] = _mm256_permute2x128_si256(t[j], t[4 + j], 0x20);
    r[4 + j] = _mm256_permute2x128_si256(t[j], t[4 + j], 0x31);
  }
#endif
}
#endif

/// Orders stores that went past the caches before those that follow.
HWY_INLINE void FlushStream() {
#if TWOFOUR_INT8_SET > 0
  _mm_sfence();
#endif
}

/// Keeps the compiler from loading a vector again for each use, which would take twice the loads.
HWY_INLINE Ints Loaded(Ints x) {
#if TWOFOUR_INT8_SET == 3
  asm("" : "+v"(x));
#elif TWOFOUR_INT8_SET > 0
  asm("" : "+x"(x));
#endif
  return x;
}

}  // namespace twofour::sparse::TWOFOUR_INT8
TWOFOUR_INT8_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_INT8_INT8_VECTORS_INL_H_
