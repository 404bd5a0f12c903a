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

struct Pair {
  VF32 first, second;
};

struct Turned {
  HWY_INLINE Pair operator()(VF32 cosine, VF32 sine, VF32 first, VF32 second) const {
    return {hn::Add(hn::Mul(first, cosine), hn::Mul(second, sine)),
            hn::Sub(hn::Mul(second, cosine), hn::Mul(first, sine))};
  }
};

template <typename T>
void RotateLoop(int64_t rows, int64_t half, const float* cosines, const float* sines, const T* x, T* y) {
  for (int64_t row = 0; row < rows; ++row, x += 2 * half, y += 2 * half) {
    MapVectorsToTwo(half, y, y + half, Turned(), cosines, sines, x, x + half);
  }
}

TWOFOUR_NAME_INSTANCES(RotateLoop);

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

TWOFOUR_EXPORT_INSTANCES(RotateLoop);

namespace loops {

void Rotate(int64_t rows, int64_t half, const float* cosines, const float* sines, const float* x, float* y) {
  TWOFOUR_DISPATCH_INSTANCE(RotateLoop, float)(rows, half, cosines, sines, x, y);
}

void Rotate(int64_t rows, int64_t half, const float* cosines, const float* sines, const BFloat16* x, BFloat16* y) {
  TWOFOUR_DISPATCH_INSTANCE(RotateLoop, BFloat16)(rows, half, cosines, sines, x, y);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
