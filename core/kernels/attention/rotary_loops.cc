#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/attention/rotary_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/attention/rotary_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

struct TurnedFirst {
  HWY_INLINE VF32 operator()(VF32 cosine, VF32 sine, VF32 first, VF32 second) const {
    return hn::Add(hn::Mul(first, cosine), hn::Mul(second, sine));
  }
};

struct TurnedSecond {
  HWY_INLINE VF32 operator()(VF32 cosine, VF32 sine, VF32 first, VF32 second) const {
    return hn::Sub(hn::Mul(second, cosine), hn::Mul(first, sine));
  }
};

void RotateLoop(int64_t half, const float* cosines, const float* sines, const float* x, float* y) {
  MapVectors(half, y, TurnedFirst(), cosines, sines, x, x + half);
  MapVectors(half, y + half, TurnedSecond(), cosines, sines, x, x + half);
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(RotateLoop);

namespace loops {

void Rotate(int64_t half, const float* cosines, const float* sines, const float* x, float* y) {
  TWOFOUR_DYNAMIC_DISPATCH(RotateLoop)(half, cosines, sines, x, y);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
