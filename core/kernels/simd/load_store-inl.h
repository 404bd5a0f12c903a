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

/// The bits of each float, rounded as BFloat16 does, in the upper half of its lane. The lower half is arbitrary.
template <class DF>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<DF>> RoundedBits(DF /*df*/, hn::Vec<DF> v) {
  const hn::RebindToUnsigned<DF> d32;
  const auto bits = hn::BitCast(d32, v);
  // Adds half of what is cut off, less one where the last bit that stays is 0. A carry goes into the exponent.
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
  const auto rounded = hn::Add(hn::Add(bits, hn::Set(d32, 0x7fff)), odd);
  const auto quiet = hn::Or(bits, hn::Set(d32, 0x00400000u));
  // Not Ne(v, v), which is false for a NaN.
  return hn::IfThenElse(hn::RebindMask(d32, hn::Eq(v, v)), rounded, quiet);
}

template <class DF>
HWY_INLINE void StoreFromF32(DF df, hn::Vec<DF> v, BFloat16* to) {
  const hn::Rebind<uint16_t, DF> d16;
  const auto bits = hn::BitCast(hn::RebindToSigned<DF>(), hn::ShiftRight<16>(RoundedBits(df, v)));
  hn::StoreU(hn::DemoteTo(d16, bits), d16, reinterpret_cast<uint16_t*>(to));
}

/// Stores two vectors of floats, one after the other.
template <class DF>
HWY_INLINE void StorePair(DF df, hn::Vec<DF> first, hn::Vec<DF> second, BFloat16* to) {
#if HWY_TARGET == HWY_SCALAR
  StoreFromF32(df, first, to);
  StoreFromF32(df, second, to + 1);
#else
  const hn::Repartition<uint16_t, DF> d16;
  const auto low = hn::BitCast(d16, RoundedBits(df, first)), high = hn::BitCast(d16, RoundedBits(df, second));
  hn::StoreU(hn::ConcatOdd(d16, high, low), d16, reinterpret_cast<uint16_t*>(to));
#endif
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_SIMD_LOAD_STORE_INL_H_
