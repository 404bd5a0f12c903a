// Loads elements of f32 or bf16 as f32, and stores f32 as either. Kernels that read and write through these functions
// take both types with one copy of their arithmetic. For files that are compiled once for each instruction set (see
// vector_loop-inl.h).
#if defined(TWOFOUR_CORE_KERNELS_SIMD_LOAD_STORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_SIMD_LOAD_STORE_INL_H_
#undef TWOFOUR_CORE_KERNELS_SIMD_LOAD_STORE_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_SIMD_LOAD_STORE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "twofour/core/half.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Loads as many elements as `df`, a tag of floats, has lanes. They need not be aligned.
template <class DF>
HWY_INLINE hn::Vec<DF> LoadAsF32(DF df, const float* from) {
  return hn::LoadU(df, from);
}

/// A signalling NaN stays one, unlike in a conversion by BFloat16. The first operation on it, or storing it as bf16,
/// makes it quiet.
template <class DF>
HWY_INLINE hn::Vec<DF> LoadAsF32(DF df, const BFloat16* from) {
  const hn::Rebind<uint16_t, DF> d16;
  const hn::Rebind<uint32_t, DF> d32;
  return hn::BitCast(df,
                     hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from)))));
}

template <class DF>
HWY_INLINE void StoreFromF32(DF df, hn::Vec<DF> v, float* to) {
  hn::StoreU(v, df, to);
}

/// Rounds as BFloat16 does, to the bit.
template <class DF>
HWY_INLINE void StoreFromF32(DF /*df*/, hn::Vec<DF> v, BFloat16* to) {
  const hn::Rebind<uint16_t, DF> d16;
  const hn::Rebind<uint32_t, DF> d32;
  const auto bits = hn::BitCast(d32, v), upper = hn::ShiftRight<16>(bits);
  // Adds half of what is cut off, less one where the last bit that stays is 0. A carry goes into the exponent.
  const auto half = hn::Add(hn::And(upper, hn::Set(d32, 1)), hn::Set(d32, 0x7fff));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, half));
  const auto quiet = hn::Or(upper, hn::Set(d32, 0x40));
  // Not Ne(v, v), which is false for a NaN.
  const auto narrow = hn::IfThenElse(hn::RebindMask(d32, hn::Eq(v, v)), rounded, quiet);
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(hn::Rebind<int32_t, DF>(), narrow)), d16, reinterpret_cast<uint16_t*>(to));
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_SIMD_LOAD_STORE_INL_H_
