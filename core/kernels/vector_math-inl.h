// Functions of f32 vectors that Highway lacks or gives wrong values where we need right ones, for files that are
// compiled once for each instruction set (see vector_loop-inl.h). A NaN's function is a NaN; nothing overflows on the
// way.
#if defined(TWOFOUR_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_VECTOR_MATH_INL_H_
#undef TWOFOUR_VECTOR_MATH_INL_H_
#else
#define TWOFOUR_VECTOR_MATH_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

/// `y`, but x where x is a NaN: Highway's exp(NaN) is 0.
HWY_INLINE VF32 UnlessNan(VF32 x, VF32 y) { return hn::IfThenElse(hn::Eq(x, x), y, x); }

HWY_INLINE VF32 TanhOf(VF32 x) {
  // Beyond 10 it is 1 to the last bit, and Highway would convert an exponent to an integer that cannot hold it.
  const VF32 limit = hn::Set(F32(), 10.0f);
  return UnlessNan(x, hn::Tanh(F32(), hn::Max(hn::Neg(limit), hn::Min(x, limit))));
}

/// 1 / (1 + exp(-x)) and what is left to 1, each with full relative accuracy.
struct Sigmoid {
  HWY_INLINE explicit Sigmoid(VF32 x) {
    const VF32 one = hn::Set(F32(), 1.0f);
    const VF32 e = UnlessNan(x, hn::Exp(F32(), hn::Neg(hn::Min(hn::Abs(x), hn::Set(F32(), 200.0f)))));
    const VF32 large = hn::Div(one, hn::Add(one, e)), small = hn::Mul(e, large);
    const auto negative = hn::Lt(x, hn::Zero(F32()));
    value = hn::IfThenElse(negative, small, large);
    complement = hn::IfThenElse(negative, large, small);
  }
  VF32 value, complement;
};

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
