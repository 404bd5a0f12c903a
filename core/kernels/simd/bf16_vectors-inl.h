// Vectors of 512 bits for kernels that multiply pairs of bf16 (AVX512_BF16), each instruction behind a function of one
// line. Highway 1.0.3 does not know these instructions. A kernel is written once, in a file NAME-inl.h, and compiled
// twice: NAME_native.cc defines TWOFOUR_BF16_NATIVE as 1 before it includes this file, NAME_emulated.cc as 0. The
// emulation gives the bits of the instructions on any processor, slowly: it is there so that the kernels can be tested
// everywhere.
//
// A pair is two bf16 in 32 bits, the first in the lower half. Every file that includes this one puts its code between
// TWOFOUR_BF16_BEFORE and TWOFOUR_BF16_AFTER, in the namespace TWOFOUR_BF16.
#if !defined(TWOFOUR_BF16_NATIVE)
#error "define TWOFOUR_BF16_NATIVE as 0 or 1"
#endif

#ifndef TWOFOUR_CORE_KERNELS_SIMD_BF16_VECTORS_INL_H_
#define TWOFOUR_CORE_KERNELS_SIMD_BF16_VECTORS_INL_H_

#include <hwy/base.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#if TWOFOUR_BF16_NATIVE
#if HWY_COMPILER_GCC && !HWY_COMPILER_CLANG
// GCC 12 warns falsely of intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#endif

#include "twofour/core/half.h"
#include "twofour/core/kernels/simd/unroll.h"

#if TWOFOUR_BF16_NATIVE
#define TWOFOUR_BF16 bf16_native
#define TWOFOUR_BF16_BEFORE \
  HWY_PUSH_ATTRIBUTES("avx2,bmi,bmi2,popcnt,lzcnt,fma,f16c,avx512f,avx512vl,avx512dq,avx512bw,avx512vbmi2,avx512bf16")
#define TWOFOUR_BF16_AFTER HWY_POP_ATTRIBUTES
#else
#define TWOFOUR_BF16 bf16_emulated
#define TWOFOUR_BF16_BEFORE
#define TWOFOUR_BF16_AFTER
#endif

TWOFOUR_BF16_BEFORE
namespace twofour::TWOFOUR_BF16 {

/// Floats, and pairs of bf16, that one vector holds.
inline constexpr int kLanes = 16;

/// An element as the bits of a bf16. Denormal floats become zero.
HWY_INLINE uint16_t BitsOf(BFloat16 x) { return x.bits(); }
HWY_INLINE uint16_t BitsOf(float x) { return BFloat16(std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x).bits(); }

#if TWOFOUR_BF16_NATIVE

/// kLanes floats.
using Floats = __m512;
/// kLanes pairs.
using Pairs = __m512i;

HWY_INLINE Floats ZeroFloats() { return _mm512_setzero_ps(); }
HWY_INLINE Floats SetFloats(float x) { return _mm512_set1_ps(x); }
HWY_INLINE Floats LoadFloats(const float* from) { return _mm512_loadu_ps(from); }
HWY_INLINE void StoreFloats(Floats x, float* to) { _mm512_storeu_ps(to, x); }
HWY_INLINE Floats Add(Floats a, Floats b) { return _mm512_add_ps(a, b); }

HWY_INLINE Pairs SetPairs(uint32_t pair) { return _mm512_set1_epi32(static_cast<int>(pair)); }
HWY_INLINE Pairs LoadPairs(const void* from) { return _mm512_loadu_si512(from); }
HWY_INLINE void StorePairs(Pairs x, void* to) { _mm512_storeu_si512(to, x); }
/// kLanes bf16 each: those at `low`, then those at `high`.
HWY_INLINE Pairs LoadHalves(const BFloat16* low, const BFloat16* high) {
  const __m512i lower = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(low)));
  return _mm512_inserti64x4(lower, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(high)), 1);
}

/// The first `count` <= kLanes floats at `from`, and then zeros. No others are read.
HWY_INLINE Floats LoadFirstFloats(const float* from, int count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>(_bzhi_u32(~0U, static_cast<uint32_t>(count))), from);
}
/// x, but in each lane i that has a bit the lane places[i] % kLanes of `from`. Places are 32 bits each.
HWY_INLINE Floats PickFloats(Floats x, uint32_t bits, Pairs places, Floats from) {
  return _mm512_mask_permutexvar_ps(x, static_cast<__mmask16>(bits), places, from);
}

/// sum + a.second b.second + a.first b.first in each lane, by two fused multiply-adds in this order. Denormal numbers
/// count as zero, as operands and as results.
HWY_INLINE Floats DotPairs(Floats sum, Pairs a, Pairs b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
/// The 16 of `low` and then the 16 of `high`, rounded to bf16 (to nearest even). Denormal numbers become zero.
HWY_INLINE Pairs RoundToBf16(Floats low, Floats high) { return (Pairs)_mm512_cvtne2ps_pbh(high, low); }

/// Pair i is bf16 number i with number kLanes + i.
HWY_INLINE Pairs PairHalves(Pairs x) {
  const __m512i places =
      _mm512_set_epi32(0x001f000f, 0x001e000e, 0x001d000d, 0x001c000c, 0x001b000b, 0x001a000a, 0x00190009, 0x00180008,
                       0x00170007, 0x00160006, 0x00150005, 0x00140004, 0x00130003, 0x00120002, 0x00110001, 0x00100000);
  return _mm512_permutexvar_epi16(places, x);
}

/// 32 elements of 16 bits: of each block of 8, the lower (upper) halves of a's and b's block, element by element.
HWY_INLINE Pairs InterleaveLower(Pairs a, Pairs b) { return _mm512_unpacklo_epi16(a, b); }
HWY_INLINE Pairs InterleaveUpper(Pairs a, Pairs b) { return _mm512_unpackhi_epi16(a, b); }
/// What RoundToBf16 makes of floats in the order of InterleaveLower and InterleaveUpper, in the order before these.
/// InterleaveLower of two vectors that went through this has the pairs of the first halves of both, in order, and
/// InterleaveUpper those of the second halves.
HWY_INLINE Pairs UndoInterleave(Pairs x) {
  return _mm512_permutexvar_epi64(_mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0), x);
}
/// The 32 first (second) elements of all pairs of `low`, and then of `high`.
HWY_INLINE Pairs FirstsOf(Pairs low, Pairs high) {
  const __m512i places =
      _mm512_set_epi32(0x003e003c, 0x003a0038, 0x00360034, 0x00320030, 0x002e002c, 0x002a0028, 0x00260024, 0x00220020,
                       0x001e001c, 0x001a0018, 0x00160014, 0x00120010, 0x000e000c, 0x000a0008, 0x00060004, 0x00020000);
  return _mm512_permutex2var_epi16(low, places, high);
}
HWY_INLINE Pairs SecondsOf(Pairs low, Pairs high) {
  const __m512i places =
      _mm512_set_epi32(0x003f003d, 0x003b0039, 0x00370035, 0x00330031, 0x002f002d, 0x002b0029, 0x00270025, 0x00230021,
                       0x001f001d, 0x001b0019, 0x00170015, 0x00130011, 0x000f000d, 0x000b0009, 0x00070005, 0x00030001);
  return _mm512_permutex2var_epi16(low, places, high);
}
/// Keeps a loaded vector in a register. Without this, compilers fold the load into each instruction that uses it.
HWY_INLINE Pairs Loaded(Pairs x) {
  asm("" : "+v"(x));
  return x;
}
/// Writes past the caches, to an address that is a multiple of 64. FlushStream comes after the last such write.
HWY_INLINE void StreamPairs(Pairs x, void* to) { _mm512_stream_si512(static_cast<__m512i*>(to), x); }
HWY_INLINE void FlushStream() { _mm_sfence(); }
/// max(x, 0)^2. A NaN stays a NaN.
HWY_INLINE Floats ReluSquared(Floats x) {
  const Floats positive = _mm512_max_ps(_mm512_setzero_ps(), x);  // The second operand where one is a NaN.
  return _mm512_mul_ps(positive, positive);
}
/// Pair i of each block of 8 is bf16 number i of the block's lower half with number i of its upper half.
HWY_INLINE Pairs JoinQuads(Pairs x) {
  const __m512i places =
      _mm512_set_epi32(0x001f001b, 0x001e001a, 0x001d0019, 0x001c0018, 0x00170013, 0x00160012, 0x00150011, 0x00140010,
                       0x000f000b, 0x000e000a, 0x000d0009, 0x000c0008, 0x00070003, 0x00060002, 0x00050001, 0x00040000);
  return _mm512_permutexvar_epi16(places, x);
}

/// Of 32 elements, those that have a bit in `bits`, and zeros in place of the others.
HWY_INLINE Pairs KeepElements(Pairs x, uint32_t bits) { return _mm512_maskz_mov_epi16(bits, x); }
/// A bit for each of 32 elements that is not 0 or -0.
HWY_INLINE uint32_t NonZeros(Pairs x) { return _mm512_test_epi16_mask(x, _mm512_set1_epi16(0x7fff)); }
/// Of 32 elements, those that have a bit, one after the other, and then zeros.
HWY_INLINE Pairs CompressElements(Pairs x, uint32_t bits) { return _mm512_maskz_compress_epi16(bits, x); }
/// Writes only the first `count` <= 32 elements.
HWY_INLINE void StoreFirstElements(Pairs x, int count, void* to) {
  _mm512_mask_storeu_epi16(to, _bzhi_u32(~0U, static_cast<uint32_t>(count)), x);
}
/// Sums of 32 elements as integers.
HWY_INLINE Pairs AddElements(Pairs a, Pairs b) { return _mm512_add_epi16(a, b); }
/// Adds 1 to each of 64 bytes that has a bit.
HWY_INLINE Pairs CountBits(Pairs bytes, uint64_t bits) {
  return _mm512_mask_add_epi8(bytes, bits, bytes, _mm512_set1_epi8(1));
}
/// Lanes of bf16 as floats: the pairs must hold zeros in their first elements.
HWY_INLINE Floats AsFloats(Pairs x) { return _mm512_castsi512_ps(x); }
HWY_INLINE Floats TwiceRootTimes(Floats h, Floats v) {
  const Floats root = _mm512_sqrt_ps(h);
  return _mm512_mul_ps(_mm512_add_ps(root, root), v);
}
HWY_INLINE float SumOf(Floats x) { return _mm512_reduce_add_ps(x); }

/// Transposes kLanes vectors of pairs in place.
HWY_INLINE void TransposePairs(Pairs (&r)[kLanes]) {
  Pairs t[kLanes];
  TWOFOUR_UNROLL
  for (int g = 0; g < kLanes; g += 4) {
    const Pairs a = _mm512_unpacklo_epi32(r[g], r[g + 1]), b = _mm512_unpacklo_epi32(r[g + 2], r[g + 3]);
    const Pairs c = _mm512_unpackhi_epi32(r[g], r[g + 1]), d = _mm512_unpackhi_epi32(r[g + 2], r[g + 3]);
    t[g] = _mm512_unpacklo_epi64(a, b);
    t[g + 1] = _mm512_unpackhi_epi64(a, b);
    t[g + 2] = _mm512_unpacklo_epi64(c, d);
    t[g + 3] = _mm512_unpackhi_epi64(c, d);
  }
  TWOFOUR_UNROLL
  for (int j = 0; j < 4; ++j) {
    const Pairs even01 = _mm512_shuffle_i32x4(t[j], t[4 + j], 0x88), odd01 = _mm512_shuffle_i32x4(t[j], t[4 + j], 0xdd);
    const Pairs even23 = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0x88);
    const Pairs odd23 = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0xdd);
    r[j] = _mm512_shuffle_i32x4(even01, even23, 0x88);
    r[4 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
    r[8 + j] = _mm512_shuffle_i32x4(even01, even23, 0xdd);
    r[12 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0xdd);
  }
}

#else  // The same functions, lane by lane.

struct Floats {
  float lane[kLanes];
};
struct Pairs {
  uint16_t half[2 * kLanes];
};

HWY_INLINE Floats SetFloats(float x) {
  Floats result;
  std::fill_n(result.lane, kLanes, x);
  return result;
}
HWY_INLINE Floats ZeroFloats() { return SetFloats(0.0f); }
HWY_INLINE Floats LoadFloats(const float* from) {
  Floats result;
  std::copy_n(from, kLanes, result.lane);
  return result;
}
HWY_INLINE void StoreFloats(const Floats& x, float* to) { std::copy_n(x.lane, kLanes, to); }
HWY_INLINE Floats Add(const Floats& a, const Floats& b) {
  Floats result;
  for (int i = 0; i < kLanes; ++i) result.lane[i] = a.lane[i] + b.lane[i];
  return result;
}

inline Floats LoadFirstFloats(const float* from, int count) {
  Floats result = ZeroFloats();
  std::copy_n(from, count, result.lane);
  return result;
}

HWY_INLINE Pairs LoadPairs(const void* from) {
  Pairs result;
  std::memcpy(result.half, from, sizeof(result));
  return result;
}
HWY_INLINE void StorePairs(const Pairs& x, void* to) { std::memcpy(to, x.half, sizeof(x)); }
inline Floats PickFloats(Floats x, uint32_t bits, const Pairs& places, const Floats& from) {
  uint32_t place[kLanes];
  StorePairs(places, place);
  for (int i = 0; i < kLanes; ++i) {
    if ((bits >> i & 1) != 0) x.lane[i] = from.lane[place[i] % kLanes];
  }
  return x;
}
HWY_INLINE Pairs SetPairs(uint32_t pair) {
  uint32_t pairs[kLanes];
  std::fill_n(pairs, kLanes, pair);
  return LoadPairs(pairs);
}
HWY_INLINE Pairs LoadHalves(const BFloat16* low, const BFloat16* high) {
  Pairs result;
  std::memcpy(result.half, low, sizeof(result) / 2);
  std::memcpy(result.half + kLanes, high, sizeof(result) / 2);
  return result;
}

inline float WithoutDenormal(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
inline float AsOperand(uint16_t bits) { return WithoutDenormal(static_cast<float>(BFloat16::FromBits(bits))); }
inline float MulAdd(float a, float b, float c) {
  const float result = std::fma(a, b, c);
  if (std::fabs(result) != 0x1p-126f) return WithoutDenormal(result);
  // The instruction calls a result denormal if it would be one after it was rounded as if exponents had no limit. fma
  // may have rounded such a result up to the smallest normal number. Near that number, the sum is exact in double.
  const double sum = static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c);
  return std::fabs(sum) < 0x1p-126 - 0x1p-151 ? std::copysign(0.0f, result) : result;
}
inline Floats DotPairs(const Floats& sum, const Pairs& a, const Pairs& b) {
  Floats result;
  for (int i = 0; i < kLanes; ++i) {
    float lane = WithoutDenormal(sum.lane[i]);
    for (int at = 2 * i + 1; at >= 2 * i; --at) {
      lane = MulAdd(AsOperand(a.half[at]), AsOperand(b.half[at]), lane);
    }
    result.lane[i] = lane;
  }
  return result;
}
inline Pairs RoundToBf16(const Floats& low, const Floats& high) {
  Pairs result;
  std::transform(low.lane, low.lane + kLanes, result.half, [](float x) { return BitsOf(x); });
  std::transform(high.lane, high.lane + kLanes, result.half + kLanes, [](float x) { return BitsOf(x); });
  return result;
}

HWY_INLINE Pairs PairHalves(const Pairs& x) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = x.half[i / 2 + i % 2 * kLanes];
  return result;
}
HWY_INLINE Pairs InterleaveLower(const Pairs& a, const Pairs& b) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = (i % 2 == 0 ? a : b).half[i / 8 * 8 + i % 8 / 2];
  return result;
}
HWY_INLINE Pairs InterleaveUpper(const Pairs& a, const Pairs& b) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = (i % 2 == 0 ? a : b).half[i / 8 * 8 + 4 + i % 8 / 2];
  return result;
}
HWY_INLINE Pairs UndoInterleave(const Pairs& x) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = x.half[i % 8 / 4 * kLanes + i / 8 * 4 + i % 4];
  return result;
}
HWY_INLINE Pairs FirstsOf(const Pairs& low, const Pairs& high) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = (i < kLanes ? low : high).half[i % kLanes * 2];
  return result;
}
HWY_INLINE Pairs SecondsOf(const Pairs& low, const Pairs& high) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = (i < kLanes ? low : high).half[i % kLanes * 2 + 1];
  return result;
}
HWY_INLINE Pairs Loaded(const Pairs& x) { return x; }
HWY_INLINE void StreamPairs(const Pairs& x, void* to) { StorePairs(x, to); }
HWY_INLINE void FlushStream() {}
inline Floats ReluSquared(const Floats& x) {
  Floats result;
  for (int i = 0; i < kLanes; ++i) {
    const float positive = x.lane[i] < 0 ? 0.0f : x.lane[i];
    result.lane[i] = positive * positive;
  }
  return result;
}
HWY_INLINE Pairs JoinQuads(const Pairs& x) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = x.half[i / 8 * 8 + i % 8 / 2 + i % 2 * 4];
  return result;
}

inline Pairs KeepElements(const Pairs& x, uint32_t bits) {
  Pairs result;
  for (int i = 0; i < 2 * kLanes; ++i) result.half[i] = (bits >> i & 1) != 0 ? x.half[i] : uint16_t{0};
  return result;
}
inline uint32_t NonZeros(const Pairs& x) {
  uint32_t bits = 0;
  for (int i = 0; i < 2 * kLanes; ++i) bits |= uint32_t{(x.half[i] & 0x7fffU) != 0} << i;
  return bits;
}
inline Pairs CompressElements(const Pairs& x, uint32_t bits) {
  Pairs result = SetPairs(0);
  int count = 0;
  for (int i = 0; i < 2 * kLanes; ++i) {
    if ((bits >> i & 1) != 0) result.half[count++] = x.half[i];
  }
  return result;
}
inline void StoreFirstElements(const Pairs& x, int count, void* to) {
  if (count == 0) return;  // `to` may be null then.
  std::memcpy(to, x.half, static_cast<size_t>(count) * sizeof(uint16_t));
}
inline Pairs AddElements(Pairs a, const Pairs& b) {
  for (int i = 0; i < 2 * kLanes; ++i) a.half[i] = static_cast<uint16_t>(a.half[i] + b.half[i]);
  return a;
}
inline Pairs CountBits(const Pairs& bytes, uint64_t bits) {
  uint8_t counts[4 * kLanes];
  StorePairs(bytes, counts);
  for (int i = 0; i < 4 * kLanes; ++i) counts[i] = static_cast<uint8_t>(counts[i] + (bits >> i & 1));
  return LoadPairs(counts);
}
inline Floats AsFloats(const Pairs& x) { return std::bit_cast<Floats>(x); }
inline Floats TwiceRootTimes(const Floats& h, const Floats& v) {
  Floats result;
  for (int i = 0; i < kLanes; ++i) {
    const float root = std::sqrt(h.lane[i]);
    result.lane[i] = (root + root) * v.lane[i];
  }
  return result;
}
/// Adds up as the instructions do: the upper half to the lower half, until one is left.
inline float SumOf(Floats x) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) x.lane[i] += x.lane[i + width];
  }
  return x.lane[0];
}

inline void TransposePairs(Pairs (&r)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < i; ++j) {
      for (int part = 0; part < 2; ++part) std::swap(r[i].half[2 * j + part], r[j].half[2 * i + part]);
    }
  }
}

#endif

/// kLanes elements at `low` and kLanes at `high`, as bf16.
HWY_INLINE Pairs LoadBf16(const BFloat16* low, const BFloat16* high) { return LoadHalves(low, high); }
HWY_INLINE Pairs LoadBf16(const float* low, const float* high) {
  return RoundToBf16(LoadFloats(low), LoadFloats(high));
}
/// 2 kLanes elements in a row, as bf16.
HWY_INLINE Pairs LoadBf16(const BFloat16* from) { return LoadPairs(from); }
HWY_INLINE Pairs LoadBf16(const float* from) { return LoadBf16(from, from + kLanes); }

}  // namespace twofour::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_CORE_KERNELS_SIMD_BF16_VECTORS_INL_H_
