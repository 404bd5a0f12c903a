#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/formats/hadamard_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/formats/hadamard_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/unroll.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

using loops::kHadamardBlock;

/// A block fills vectors of at most 16 floats.
using Block = hn::CappedTag<float, kHadamardBlock>;
using Bits = hn::RebindToUnsigned<Block>;
using Vector = hn::Vec<Block>;
using Signs = hn::Vec<Bits>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Block()));
constexpr int64_t kVectors = kHadamardBlock / kLanes;

/// For each lane, the sign bit of `sign(place in the block)`.
template <class F>
HWY_INLINE Signs SignsWhere(int64_t first, const F& is_negative) {
  HWY_ALIGN uint32_t bits[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) bits[lane] = is_negative(first + lane) ? 0x80000000u : 0;
  return hn::Load(Bits(), bits);
}

HWY_INLINE Vector ChangeSigns(Vector v, Signs signs) {
  return hn::BitCast(Block(), hn::Xor(hn::BitCast(Bits(), v), signs));
}

/// One round within vectors: lane i becomes the sum of itself and lane i + distance, or of lane i - distance and minus
/// itself.
class RoundWithinVectors {
 public:
  explicit HWY_INLINE RoundWithinVectors(int64_t distance) {
    HWY_ALIGN int32_t partner[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) partner[lane] = static_cast<int32_t>((lane ^ distance) % kLanes);
    partner_ = hn::SetTableIndices(Block(), partner);
    upper_ = SignsWhere(0, [=](int64_t lane) { return (lane & distance) != 0; });
  }
  HWY_INLINE Vector operator()(Vector v) const {
    return hn::Add(hn::TableLookupLanes(v, partner_), ChangeSigns(v, upper_));
  }

 private:
  decltype(hn::SetTableIndices(Block(), static_cast<const int32_t*>(nullptr))) partner_;
  Signs upper_;
};

/// Changes the signs `before` and `after` the product.
template <bool before>
HWY_INLINE void Transform(int64_t blocks, const float* x, uint16_t signs, float* out) {
  const RoundWithinVectors round8(8), round4(4), round2(2), round1(1);
  const Vector quarter = hn::Set(Block(), 0.25f);
  Signs changes[kVectors];
  TWOFOUR_UNROLL for (int64_t v = 0; v < kVectors; ++v) {
    changes[v] = SignsWhere(v * kLanes, [=](int64_t col) { return (signs >> col & 1) != 0; });
  }
  for (int64_t b = 0; b < blocks; ++b, x += kHadamardBlock, out += kHadamardBlock) {
    Vector part[kVectors];
    TWOFOUR_UNROLL for (int64_t v = 0; v < kVectors; ++v) {
      part[v] = hn::LoadU(Block(), x + v * kLanes);
      if constexpr (before) part[v] = ChangeSigns(part[v], changes[v]);
    }
    TWOFOUR_UNROLL for (int64_t distance = kVectors / 2; distance > 0; distance /= 2) {
      TWOFOUR_UNROLL for (int64_t v = 0; v < kVectors; ++v) {
        if ((v & distance) != 0) continue;
        const Vector sum = hn::Add(part[v], part[v + distance]), difference = hn::Sub(part[v], part[v + distance]);
        part[v] = sum;
        part[v + distance] = difference;
      }
    }
    TWOFOUR_UNROLL for (int64_t v = 0; v < kVectors; ++v) {
      if constexpr (kLanes > 8) part[v] = round8(part[v]);
      if constexpr (kLanes > 4) part[v] = round4(part[v]);
      if constexpr (kLanes > 2) part[v] = round2(part[v]);
      if constexpr (kLanes > 1) part[v] = round1(part[v]);
      part[v] = hn::Mul(part[v], quarter);
      if constexpr (!before) part[v] = ChangeSigns(part[v], changes[v]);
      hn::StoreU(part[v], Block(), out + v * kLanes);
    }
  }
}

void HadamardLoop(int64_t blocks, const float* x, uint16_t signs, float* out) {
  Transform<true>(blocks, x, signs, out);
}

void InverseHadamardLoop(int64_t blocks, const float* x, uint16_t signs, float* out) {
  Transform<false>(blocks, x, signs, out);
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(HadamardLoop);
HWY_EXPORT(InverseHadamardLoop);

namespace loops {

void Hadamard(int64_t blocks, const float* x, uint16_t signs, float* out) {
  TWOFOUR_DYNAMIC_DISPATCH(HadamardLoop)(blocks, x, signs, out);
}

void InverseHadamard(int64_t blocks, const float* x, uint16_t signs, float* out) {
  TWOFOUR_DYNAMIC_DISPATCH(InverseHadamardLoop)(blocks, x, signs, out);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
