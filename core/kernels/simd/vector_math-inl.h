// Functions of f32 vectors that Highway lacks, or for which it gives wrong values where we need right ones. They are
// for files that are compiled once for each instruction set (see vector_loop-inl.h). A NaN gives a NaN, and no
// intermediate result overflows.
#if defined(TWOFOUR_CORE_KERNELS_SIMD_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_SIMD_VECTOR_MATH_INL_H_
#undef TWOFOUR_CORE_KERNELS_SIMD_VECTOR_MATH_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_SIMD_VECTOR_MATH_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

/// x where x is a NaN, and y elsewhere. Needed because Highway's exp(NaN) is 0.
HWY_INLINE VF32 UnlessNan(VF32 x, VF32 y) { return hn::IfThenElse(hn::Eq(x, x), y, x); }

/// exp(x - shift)
struct ShiftedExp {
  VF32 shift;
  HWY_INLINE VF32 operator()(VF32 x) const {
    const VF32 shifted = hn::Sub(x, shift);
    return UnlessNan(shifted, hn::Exp(F32(), shifted));
  }
};

/// exp(x): 0 where it is too small for a float, and infinity where it is too large.
HWY_INLINE VF32 ExpOf(VF32 x) {
  // Far outside, Highway would convert an exponent to an integer that cannot hold it.
  const VF32 lowest = hn::Set(F32(), -104.0f), highest = hn::Set(F32(), 89.0f);
  return UnlessNan(x, hn::Exp(F32(), hn::Max(lowest, hn::Min(x, highest))));
}

/// The natural logarithm: -infinity for 0, infinity for infinity, and a NaN for a negative x.
HWY_INLINE VF32 LogOf(VF32 x) {
  const VF32 zero = hn::Zero(F32()), infinity = hn::Inf(F32());
  const VF32 of_positive = hn::IfThenElse(hn::Eq(x, infinity), infinity, hn::Log(F32(), x));
  const VF32 of_others = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), hn::NaN(F32()));
  return UnlessNan(x, hn::IfThenElse(hn::Gt(x, zero), of_positive, of_others));
}

HWY_INLINE VF32 TanhOf(VF32 x) {
  // Beyond 10, tanh is 1 to the last bit. For very large x, Highway would convert an exponent to an integer that cannot
  // hold it.
  const VF32 limit = hn::Set(F32(), 10.0f);
  return UnlessNan(x, hn::Tanh(F32(), hn::Max(hn::Neg(limit), hn::Min(x, limit))));
}

/// value = 1 / (1 + exp(-x)) and complement = 1 - value, each with full relative accuracy.
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

/// exp(-x^2 / 2) for x in [0, 15], within a few ulp. To round x^2 once would cost x^2 / 2 ulp. So exp gets only the
/// square of the upper half of x, which is exact, and a polynomial stands for the rest.
HWY_INLINE VF32 GaussianOf(VF32 x) {
  const hn::RebindToUnsigned<F32> bits;
  const VF32 upper = hn::BitCast(F32(), hn::And(hn::BitCast(bits, x), hn::Set(bits, 0xFFFFF000u)));
  const VF32 half = hn::Set(F32(), 0.5f), one = hn::Set(F32(), 1.0f);
  const VF32 rest = hn::Mul(half, hn::Mul(hn::Sub(x, upper), hn::Add(x, upper)));  // Below x^2 / 2048.
  const VF32 cubic = hn::NegMulAdd(rest, hn::Set(F32(), 1.0f / 6), half);
  const VF32 exp_rest = hn::NegMulAdd(rest, hn::NegMulAdd(rest, cubic, one), one);
  return hn::Mul(hn::Exp(F32(), hn::Mul(hn::Neg(half), hn::Mul(upper, upper))), exp_rest);
}

/// The standard normal distribution: its function Phi(x), with full relative accuracy in the lower tail, and its
/// density.
///
/// The tail Phi(-|x|) is exp(-x^2 / 2) s P(1 - 2s) with s = 4 / (|x| + 4), which maps [0, inf) to (0, 1]. In s, Mills'
/// ratio is close to a polynomial (the form is from Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x)
/// exp(x^2) erfc x in 0 <= x < inf", 1981). P interpolates the ratio at Chebyshev points of [0, 15], within 2.7e-8.
/// Beyond 15, both the tail and the density are 0.
struct Normal {
  HWY_INLINE explicit Normal(VF32 x) {
    constexpr float kCoefficients[] = {4.83705517e-05f, 0.000391908252f, -0.000880972773f,
                                       -0.0018816283f,  0.0151016992f,   -0.0466307662f,
                                       0.0967841595f,   -0.151974156f,   0.188821286f};
    const VF32 one = hn::Set(F32(), 1.0f);
    const VF32 size = hn::Min(hn::Abs(x), hn::Set(F32(), 15.0f));
    const VF32 gaussian = UnlessNan(x, GaussianOf(size));
    const VF32 four = hn::Set(F32(), 4.0f);
    const VF32 s = hn::Div(four, hn::Add(size, four)), u = hn::NegMulAdd(hn::Set(F32(), 2.0f), s, one);
    VF32 p = hn::Set(F32(), -3.08226554e-05f);
    for (const float coefficient : kCoefficients) p = hn::MulAdd(p, u, hn::Set(F32(), coefficient));
    const VF32 tail = hn::Mul(gaussian, hn::Mul(s, p));
    cdf = hn::IfThenElse(hn::Gt(x, hn::Zero(F32())), hn::Sub(one, tail), tail);
    density = hn::Mul(gaussian, hn::Set(F32(), 0.398942280f));  // 1 / sqrt(2 pi)
  }
  VF32 cdf, density;
};

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_SIMD_VECTOR_MATH_INL_H_
