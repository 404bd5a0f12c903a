#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/formats/round_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/formats/round_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

using loops::BlockScales;
using loops::NumberGrid;

using U32 = hn::RebindToUnsigned<F32>;
using I32 = hn::RebindToSigned<F32>;
using VU32 = hn::Vec<U32>;
using VI32 = hn::Vec<I32>;

constexpr uint32_t kExponentBits = 0x7f800000u;

/// Results are numbers of bf16, so their lower halves are zero, but for NaNs, which are quiet.
HWY_INLINE void StoreUpperHalves(VF32 v, BFloat16* to) {
  const hn::Rebind<uint16_t, F32> d16;
  const VI32 upper = hn::BitCast(I32(), hn::ShiftRight<16>(hn::BitCast(U32(), v)));
  hn::StoreU(hn::DemoteTo(d16, upper), d16, reinterpret_cast<uint16_t*>(to));
}

HWY_INLINE VI32 LoadRandom(const uint16_t* random) {
  const hn::Rebind<uint16_t, F32> d16;
  return hn::PromoteTo(I32(), hn::LoadU(d16, random));
}

/// The bits of 2^e for magnitudes from 2^e to 2^(e + 1), where e is at least `least`'s exponent.
HWY_INLINE VU32 Binade(VF32 magnitude, VU32 least) {
  return hn::Max(hn::And(hn::BitCast(U32(), magnitude), hn::Set(U32(), kExponentBits)), least);
}

/// Rounds magnitudes by adding and taking away a power of two from which on floats are as far apart as the numbers of
/// the grid are here.
struct NearestEven {
  VU32 least, to_unit;
  explicit HWY_INLINE NearestEven(const NumberGrid& grid)
      : least(hn::Set(U32(), static_cast<uint32_t>(127 + grid.least_exponent) << 23)),
        to_unit(hn::Set(U32(), static_cast<uint32_t>(23 - grid.mantissa_bits) << 23)) {}
  HWY_INLINE VF32 operator()(VF32 magnitude, const uint16_t* /*random*/) const {
    const VF32 far = hn::BitCast(F32(), hn::Add(Binade(magnitude, least), to_unit));
    return hn::Sub(hn::Add(magnitude, far), far);
  }
};

/// Counts magnitudes in units of the distance between numbers, in steps of 2^-16, adds the random number to the count
/// and cuts the fraction off.
struct Stochastic {
  VU32 least, to_unit;
  explicit HWY_INLINE Stochastic(const NumberGrid& grid)
      : least(hn::Set(U32(), static_cast<uint32_t>(127 + grid.least_exponent) << 23)),
        to_unit(hn::Set(U32(), static_cast<uint32_t>(grid.mantissa_bits) << 23)) {}
  HWY_INLINE VF32 operator()(VF32 magnitude, const uint16_t* random) const {
    const VU32 unit = hn::Sub(Binade(magnitude, least), to_unit);
    // The bits of 2^16 / unit.
    const VF32 steps = hn::BitCast(F32(), hn::Sub(hn::Set(U32(), static_cast<uint32_t>(254 + 16) << 23), unit));
    // At most 2^20, and whole numbers stay whole.
    const VF32 count = hn::Add(hn::Mul(magnitude, steps), hn::Set(F32(), 0.5f));
    const VI32 rounded = hn::ShiftRight<16>(hn::Add(hn::ConvertTo(I32(), count), LoadRandom(random)));
    return hn::Mul(hn::ConvertTo(F32(), rounded), hn::BitCast(F32(), unit));
  }
};

template <class Round>
HWY_INLINE VF32 Rounded(const Round& round, VF32 x, VF32 inverse, VF32 factor, VF32 limit, const uint16_t* random) {
  const VF32 scaled = hn::Mul(x, inverse);
  const VF32 magnitude = hn::Mul(round(hn::Min(limit, hn::Abs(scaled)), random), factor);
  // Asks x, because a finite x may be scaled to an infinity. What came of a NaN above is dropped.
  const auto finite = hn::Lt(hn::Abs(x), hn::Set(F32(), std::numeric_limits<float>::infinity()));
  return hn::IfThenElse(finite, hn::CopySignToAbs(magnitude, scaled), scaled);
}

template <class Round, typename T>
HWY_INLINE void RoundBlocksWith(const Round& round, int64_t n, int64_t block, const T* x, const BlockScales& scales,
                                const uint16_t* random, BFloat16* out) {
  for (int64_t begin = 0, b = 0; begin < n; begin += block, ++b) {
    const int64_t end = std::min(begin + block, n);
    const VF32 inverse = hn::Set(F32(), scales.inverse[b]), factor = hn::Set(F32(), scales.factor[b]);
    const VF32 limit = hn::Set(F32(), scales.limit[b]);
    int64_t i = begin;
    for (; i + kF32Lanes <= end; i += kF32Lanes) {
      StoreUpperHalves(Rounded(round, LoadAsF32(F32(), x + i), inverse, factor, limit, random + i), out + i);
    }
    if (i == end) continue;
    StoreTail(Rounded(round, LoadTail(x + i, end - i), inverse, factor, limit, random + i), end - i, out + i);
  }
}

template <typename T>
void RoundNearest(const NumberGrid& grid, int64_t n, int64_t block, const T* x, const BlockScales& scales,
                  const uint16_t* random, BFloat16* out) {
  RoundBlocksWith(NearestEven(grid), n, block, x, scales, random, out);
}

template <typename T>
void RoundStochastic(const NumberGrid& grid, int64_t n, int64_t block, const T* x, const BlockScales& scales,
                     const uint16_t* random, BFloat16* out) {
  RoundBlocksWith(Stochastic(grid), n, block, x, scales, random, out);
}

HWY_INLINE VF32 RoundedToBF16(VF32 x, const uint16_t* random) {
  const VU32 bits = hn::BitCast(U32(), x);
  const VU32 sum = hn::Add(bits, hn::BitCast(U32(), LoadRandom(random)));
  const VF32 cut = hn::BitCast(F32(), hn::And(sum, hn::Set(U32(), 0xffff0000u)));
  const VF32 quiet = hn::BitCast(F32(), hn::Or(bits, hn::Set(U32(), 0x00400000u)));
  return hn::IfThenElse(hn::Eq(x, x), cut, quiet);  // Not Ne(x, x), which is false for a NaN.
}

void RoundToBF16Loop(int64_t n, const float* x, const uint16_t* random, BFloat16* out) {
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) {
    StoreUpperHalves(RoundedToBF16(hn::LoadU(F32(), x + i), random + i), out + i);
  }
  if (i < n) StoreTail(RoundedToBF16(LoadTail(x + i, n - i), random + i), n - i, out + i);
}

template <typename T>
void MaxMagnitudesLoop(int64_t n, int64_t block, const T* x, uint32_t* out) {
  const VU32 magnitude = hn::Set(U32(), 0x7fffffffu);
  for (int64_t begin = 0; begin < n; begin += block, ++out) {
    const int64_t end = std::min(begin + block, n);
    VU32 largest = hn::Zero(U32());
    int64_t i = begin;
    for (; i + kF32Lanes <= end; i += kF32Lanes) {
      largest = hn::Max(largest, hn::And(hn::BitCast(U32(), LoadAsF32(F32(), x + i)), magnitude));
    }
    if (i < end) largest = hn::Max(largest, hn::And(hn::BitCast(U32(), LoadTail(x + i, end - i)), magnitude));
    *out = hn::GetLane(hn::MaxOfLanes(U32(), largest));
  }
}

TWOFOUR_NAME_INSTANCES(RoundNearest);
TWOFOUR_NAME_INSTANCES(RoundStochastic);
TWOFOUR_NAME_INSTANCES(MaxMagnitudesLoop);

void Nvfp4ScalesLoop(int64_t blocks, float tensor_scale, const float* magnitude, float* factor, float* inverse) {
  const NearestEven round(loops::kE4M3Grid);
  const VF32 scale = hn::Set(F32(), tensor_scale), one = hn::Set(F32(), 1.0f);
  const auto scale_of = [&](VF32 largest) {
    const VF32 wanted = hn::Div(hn::Div(largest, hn::Set(F32(), kE2M1Largest)), scale);
    const VF32 bounded = hn::Min(hn::Max(wanted, hn::Set(F32(), 0x1p-9f)), hn::Set(F32(), Float8E4M3::kLargest));
    return hn::IfThenElse(hn::Eq(largest, hn::Zero(F32())), one, round(bounded, nullptr));
  };
  const auto inverse_of = [&](VF32 block_scale) { return hn::Div(one, hn::Mul(block_scale, scale)); };
  MapVectors(blocks, factor, scale_of, magnitude);
  MapVectors(blocks, inverse, inverse_of, factor);
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

TWOFOUR_EXPORT_INSTANCES(RoundNearest);
TWOFOUR_EXPORT_INSTANCES(RoundStochastic);
TWOFOUR_EXPORT_INSTANCES(MaxMagnitudesLoop);
HWY_EXPORT(RoundToBF16Loop);
HWY_EXPORT(Nvfp4ScalesLoop);

namespace loops {

void MaxMagnitudes(int64_t n, int64_t block, const float* x, uint32_t* out) {
  TWOFOUR_DISPATCH_INSTANCE(MaxMagnitudesLoop, float)(n, block, x, out);
}

void MaxMagnitudes(int64_t n, int64_t block, const BFloat16* x, uint32_t* out) {
  TWOFOUR_DISPATCH_INSTANCE(MaxMagnitudesLoop, BFloat16)(n, block, x, out);
}

void RoundBlocks(const NumberGrid& grid, int64_t n, int64_t block, const float* x, const BlockScales& scales,
                 const uint16_t* random, BFloat16* out) {
  if (random == nullptr) return TWOFOUR_DISPATCH_INSTANCE(RoundNearest, float)(grid, n, block, x, scales, random, out);
  TWOFOUR_DISPATCH_INSTANCE(RoundStochastic, float)(grid, n, block, x, scales, random, out);
}

void RoundBlocks(const NumberGrid& grid, int64_t n, int64_t block, const BFloat16* x, const BlockScales& scales,
                 const uint16_t* random, BFloat16* out) {
  if (random == nullptr) {
    return TWOFOUR_DISPATCH_INSTANCE(RoundNearest, BFloat16)(grid, n, block, x, scales, random, out);
  }
  TWOFOUR_DISPATCH_INSTANCE(RoundStochastic, BFloat16)(grid, n, block, x, scales, random, out);
}

void RoundToBF16(int64_t n, const float* x, const uint16_t* random, BFloat16* out) {
  TWOFOUR_DYNAMIC_DISPATCH(RoundToBF16Loop)(n, x, random, out);
}

void Nvfp4Scales(int64_t blocks, float tensor_scale, const float* magnitude, float* factor, float* inverse) {
  TWOFOUR_DYNAMIC_DISPATCH(Nvfp4ScalesLoop)(blocks, tensor_scale, magnitude, factor, inverse);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
