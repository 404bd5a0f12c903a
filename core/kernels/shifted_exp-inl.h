// Exponentials of f32, for files that are compiled once for each instruction set (see vector_loop-inl.h).
#if defined(TWOFOUR_SHIFTED_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SHIFTED_EXP_INL_H_
#undef TWOFOUR_SHIFTED_EXP_INL_H_
#else
#define TWOFOUR_SHIFTED_EXP_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

/// exp(x - shift); Highway's gives 0 for a NaN.
struct ShiftedExp {
  VF32 shift;
  HWY_INLINE VF32 operator()(VF32 x) const {
    const VF32 shifted = hn::Sub(x, shift);
    return hn::IfThenElse(hn::Eq(shifted, shifted), hn::Exp(F32(), shifted), shifted);
  }
};

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
