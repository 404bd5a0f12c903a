// What products with weights of few bits need beside bf16_vectors-inl.h: tables (AVX512_VBMI) and masks of elements.
// Compiled twice, as that file is.
#ifndef TWOFOUR_SPARSE_KERNELS_LOW_BIT_LOW_BIT_VECTORS_INL_H_
#define TWOFOUR_SPARSE_KERNELS_LOW_BIT_LOW_BIT_VECTORS_INL_H_

#include "twofour/core/kernels/simd/bf16_vectors-inl.h"

#if TWOFOUR_BF16_NATIVE
#define TWOFOUR_LOW_BIT_BEFORE \
  HWY_PUSH_ATTRIBUTES(         \
      "avx2,bmi,bmi2,popcnt,lzcnt,fma,f16c,avx512f,avx512vl,avx512dq,avx512bw,avx512vbmi,avx512vbmi2,avx512bf16")
#define TWOFOUR_LOW_BIT_AFTER HWY_POP_ATTRIBUTES
#else
#define TWOFOUR_LOW_BIT_BEFORE
#define TWOFOUR_LOW_BIT_AFTER
#endif

TWOFOUR_LOW_BIT_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

using twofour::TWOFOUR_BF16::Floats;
using twofour::TWOFOUR_BF16::kLanes;
using twofour::TWOFOUR_BF16::Pairs;

/// 64 bytes of a table of 128.
inline constexpr int kHalfTable = 64;

#if TWOFOUR_BF16_NATIVE

/// A bit for each element of a vector of pairs.
using Masks = __mmask32;

/// Straight from memory: by way of another register it would take twice as long.
HWY_INLINE Masks LoadMasks(const uint8_t* from) {
  Masks masks;
  asm("kmovd %1, %0" : "=k"(masks) : "m"(*reinterpret_cast<const uint8_t(*)[4]>(from)));
  return masks;
}
/// Of each element b's where its bit is set, and a's elsewhere.
HWY_INLINE Pairs Choose(Masks masks, Pairs a, Pairs b) { return _mm512_mask_blend_epi16(masks, a, b); }
/// Each element shifted down by 0, 4, 8 or 12 bits.
HWY_INLINE Pairs ShiftElementsDown(Pairs x, int bits) { return _mm512_srli_epi16(x, static_cast<unsigned>(bits)); }
/// Of each element the entry of a table of 32 that its lowest 5 bits say.
HWY_INLINE Pairs LookUpElements(Pairs table, Pairs places) { return _mm512_permutexvar_epi16(places, table); }
/// Of each byte the entry of a table of 128 that its lowest 7 bits say.
HWY_INLINE Pairs LookUpBytes(Pairs lower, Pairs upper, Pairs places) {
  return _mm512_permutex2var_epi8(lower, places, upper);
}
/// The magnitudes of signed bytes above -128.
HWY_INLINE Pairs MagnitudesOfBytes(Pairs x) { return _mm512_abs_epi8(x); }
/// Bytes with the highest bit of those of `signs`. Their own is 0.
HWY_INLINE Pairs WithSignsOfBytes(Pairs bytes, Pairs signs) {
  return _mm512_ternarylogic_epi32(bytes, signs, _mm512_set1_epi8(-128), 0xf8);
}
/// Elements of a lower and an upper byte: of each 16 bytes the first eight, and the last eight.
HWY_INLINE Pairs LowerElements(Pairs low, Pairs high) { return _mm512_unpacklo_epi8(low, high); }
HWY_INLINE Pairs UpperElements(Pairs low, Pairs high) { return _mm512_unpackhi_epi8(low, high); }
/// 16 bytes of Float8E4M3 that are not NaNs.
HWY_INLINE Floats LoadE4M3(const uint8_t* from) {
  const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  // Without a sign. Of E4M3's exponents, 0 has the same meaning as of float's, so a factor makes up for the bias.
  return _mm512_mul_ps(_mm512_castsi512_ps(_mm512_slli_epi32(wide, 20)), _mm512_set1_ps(0x1p120F));
}
/// a * b + c, rounded once.
HWY_INLINE Floats MulAddFloats(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
/// Into the second-level cache. The first level can wait for fewer lines at once: with requests into that, a core of
/// Zen 4 got 17 GB/s of a weight that is in no cache, and gets 28 so.
HWY_INLINE void Prefetch(const uint8_t* from) { _mm_prefetch(from, _MM_HINT_T1); }

#else

using Masks = uint32_t;

inline Masks LoadMasks(const uint8_t* from) {
  return from[0] | Masks{from[1]} << 8 | Masks{from[2]} << 16 | Masks{from[3]} << 24;
}
inline Pairs Choose(Masks masks, Pairs a, const Pairs& b) {
  for (int i = 0; i < 2 * kLanes; ++i) {
    if ((masks >> i & 1) != 0) a.half[i] = b.half[i];
  }
  return a;
}
inline Pairs ShiftElementsDown(Pairs x, int bits) {
  for (uint16_t& element : x.half) element = static_cast<uint16_t>(element >> bits);
  return x;
}
inline Pairs LookUpElements(const Pairs& table, Pairs places) {
  for (uint16_t& element : places.half) element = table.half[element % (2 * kLanes)];
  return places;
}
/// The vector whose byte i is of(i).
template <typename Of>
Pairs MakeBytes(const Of& of) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = static_cast<uint16_t>(of(2 * i) | of(2 * i + 1) << 8);
  return result;
}
inline uint8_t ByteOf(const Pairs& x, int i) { return static_cast<uint8_t>(x.half[i / 2] >> (i % 2 * 8)); }
inline Pairs LookUpBytes(const Pairs& lower, const Pairs& upper, const Pairs& places) {
  return MakeBytes([&](int i) {
    const int place = ByteOf(places, i) & 127;
    return place < kHalfTable ? ByteOf(lower, place) : ByteOf(upper, place - kHalfTable);
  });
}
inline Pairs MagnitudesOfBytes(const Pairs& x) {
  return MakeBytes([&](int i) {
    const auto value = static_cast<int8_t>(ByteOf(x, i));
    return static_cast<uint8_t>(value < 0 ? -value : value);
  });
}
inline Pairs WithSignsOfBytes(const Pairs& bytes, const Pairs& signs) {
  return MakeBytes([&](int i) { return ByteOf(bytes, i) | (ByteOf(signs, i) & 128); });
}
inline Pairs LowerElements(const Pairs& low, const Pairs& high) {
  return MakeBytes([&](int i) { return ByteOf(i % 2 == 0 ? low : high, i / 16 * 16 + i % 16 / 2); });
}
inline Pairs UpperElements(const Pairs& low, const Pairs& high) {
  return MakeBytes([&](int i) { return ByteOf(i % 2 == 0 ? low : high, i / 16 * 16 + 8 + i % 16 / 2); });
}
inline Floats LoadE4M3(const uint8_t* from) {
  Floats result;
  for (int i = 0; i < kLanes; ++i) result.lane[i] = std::bit_cast<float>(uint32_t{from[i]} << 20) * 0x1p120F;
  return result;
}
inline Floats MulAddFloats(const Floats& a, const Floats& b, const Floats& c) {
  Floats result;
  for (int i = 0; i < kLanes; ++i) result.lane[i] = std::fma(a.lane[i], b.lane[i], c.lane[i]);
  return result;
}
inline void Prefetch(const uint8_t* /*from*/) {}

#endif

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_LOW_BIT_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_LOW_BIT_LOW_BIT_VECTORS_INL_H_
