// Loads of floats and of 16-bit elements as floats. Compiled once for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_LOAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_LOAD_INL_H_
#undef TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_LOAD_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_LOAD_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "twofour/core/half.h"
#include "twofour/core/kernels/gemm/float_gemm.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {
namespace float_gemm {
namespace hn = hwy::HWY_NAMESPACE;

/// Loads the bits of as many 16-bit elements as `df` has lanes, each into 32 bits.
template <class DF, typename T>
HWY_INLINE hn::Vec<hn::Rebind<int32_t, DF>> LoadBits(DF /*df*/, const T* from) {
  const hn::Rebind<uint16_t, DF> d16;
  const hn::Rebind<uint32_t, DF> d32;
  const hn::Rebind<int32_t, DF> di32;
  return hn::BitCast(di32, hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from))));
}

template <class DF>
HWY_INLINE hn::Vec<DF> LoadF32(DF df, const float* from) {
  return hn::LoadU(df, from);
}

template <class DF>
HWY_INLINE hn::Vec<DF> LoadF32(DF df, const BFloat16* from) {
  return hn::BitCast(df, hn::ShiftLeft<16>(LoadBits(df, from)));
}

/// Rounds to bf16, as BFloat16 does. A NaN stays a NaN.
template <class DF>
HWY_INLINE hn::Vec<DF> LoadF32(DF df, const FloatAsBf16* from) {
  const hn::Rebind<int32_t, DF> di32;
  const auto x = hn::LoadU(df, reinterpret_cast<const float*>(from));
  const auto bits = hn::BitCast(di32, x);
  const auto last = hn::And(hn::ShiftRight<16>(bits), hn::Set(di32, 1));
  const auto rounded = hn::And(hn::Add(bits, hn::Add(last, hn::Set(di32, 0x7fff))), hn::Set(di32, -0x10000));
  return hn::IfThenElse(hn::Eq(x, x), hn::BitCast(df, rounded), x);
}

/// Converts as Float16 does, but a whole vector. Highway's own conversion is wrong for infinities and NaNs below AVX2.
template <class DF>
HWY_INLINE hn::Vec<DF> LoadF32(DF df, const Float16* from) {
  const hn::Rebind<int32_t, DF> di32;
  const auto bits = LoadBits(df, from);
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(di32, 0x8000)));
  // Moves the mantissa to its place in a float, with the 5-bit exponent above it. Adding kRebias turns that into a
  // float's exponent.
  const auto shifted = hn::ShiftLeft<13>(hn::And(bits, hn::Set(di32, 0x7fff)));
  constexpr int32_t kInfinity = 0x7c00 << 13, kSmallestNormal = 0x0400 << 13, kRebias = (127 - 15) << 23;
  const auto infinite = hn::Or(shifted, hn::Set(di32, 0x7f800000));  // Or a NaN.
  // A denormal number gets the exponent of the smallest normal number. It then has one leading 1 too many.
  const auto one_too_many = hn::BitCast(df, hn::Add(shifted, hn::Set(di32, kSmallestNormal + kRebias)));
  const auto denormal = hn::BitCast(di32, hn::Sub(one_too_many, hn::Set(df, 0x1p-14f)));
  const auto finite = hn::IfThenElse(hn::Lt(shifted, hn::Set(di32, kSmallestNormal)), denormal,
                                     hn::Add(shifted, hn::Set(di32, kRebias)));
  const auto magnitude = hn::IfThenElse(hn::Lt(shifted, hn::Set(di32, kInfinity)), finite, infinite);
  return hn::BitCast(df, hn::Or(sign, magnitude));
}

template <typename T>
HWY_INLINE void CopyAsF32(int64_t count, const T* HWY_RESTRICT from, float* HWY_RESTRICT to) {
  if constexpr (std::is_same_v<T, float>) {
    std::copy_n(from, count, to);
  } else {
    const hn::ScalableTag<float> df;
    constexpr auto kStep = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<float>()));
    int64_t i = 0;
    for (; i + kStep <= count; i += kStep) hn::StoreU(LoadF32(df, from + i), df, to + i);
    for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
  }
}

}  // namespace float_gemm
}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_LOAD_INL_H_
