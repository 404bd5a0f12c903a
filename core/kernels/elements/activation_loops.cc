#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/elements/activation_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/elements/activation_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"
#include "twofour/core/kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

struct Exponential {
  HWY_INLINE VF32 operator()(VF32 x) const { return ExpOf(x); }
};

struct Logarithm {
  HWY_INLINE VF32 operator()(VF32 x) const { return LogOf(x); }
};

struct Logistic {
  HWY_INLINE VF32 operator()(VF32 x) const { return Sigmoid(x).value; }
};

struct LogisticGrad {
  HWY_INLINE VF32 operator()(VF32 x, VF32 dy) const {
    const Sigmoid sigmoid(x);
    return hn::Mul(hn::Mul(sigmoid.value, sigmoid.complement), dy);
  }
};

template <typename T>
void ExpLoop(int64_t n, const T* x, T* out) {
  MapVectors(n, out, Exponential(), x);
}

template <typename T>
void LogLoop(int64_t n, const T* x, T* out) {
  MapVectors(n, out, Logarithm(), x);
}

template <typename T>
void SigmoidLoop(int64_t n, const T* x, T* out) {
  MapVectors(n, out, Logistic(), x);
}

template <typename T>
void SigmoidGradLoop(int64_t n, const T* x, const T* dy, T* dx) {
  MapVectors(n, dx, LogisticGrad(), x, dy);
}

struct TimesNormal {
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Mul(x, Normal(x).cdf); }
};

struct TimesNormalGrad {
  HWY_INLINE VF32 operator()(VF32 x, VF32 dy) const {
    const Normal normal(x);
    return hn::Mul(dy, hn::MulAdd(x, normal.density, normal.cdf));
  }
};

template <typename T>
void GeluLoop(int64_t n, const T* x, T* out) {
  MapVectors(n, out, TimesNormal(), x);
}

template <typename T>
void GeluGradLoop(int64_t n, const T* x, const T* dy, T* dx) {
  MapVectors(n, dx, TimesNormalGrad(), x, dy);
}

/// The argument of the sigmoid in GeluTanh, and its derivative.
struct TanhArgument {
  HWY_INLINE explicit TanhArgument(VF32 x) {
    constexpr float kTwiceFactor = 1.5957691216f, kCubic = 0.044715f;  // 2 sqrt(2 / pi)
    // Beyond 15, the sigmoid is 0 or 1. Far from 0, the cube would overflow.
    const VF32 limit = hn::Set(F32(), 15.0f), factor = hn::Set(F32(), kTwiceFactor);
    bounded = UnlessNan(x, hn::Max(hn::Neg(limit), hn::Min(x, limit)));
    const VF32 square = hn::Mul(bounded, bounded), one = hn::Set(F32(), 1.0f);
    value = hn::Mul(hn::Mul(factor, bounded), hn::MulAdd(square, hn::Set(F32(), kCubic), one));
    slope = hn::Mul(factor, hn::MulAdd(square, hn::Set(F32(), 3 * kCubic), one));
  }
  VF32 bounded, value, slope;
};

struct TimesSigmoid {
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Mul(x, Sigmoid(TanhArgument(x).value).value); }
};

struct TimesSigmoidGrad {
  HWY_INLINE VF32 operator()(VF32 x, VF32 dy) const {
    const TanhArgument argument(x);
    const Sigmoid sigmoid(argument.value);
    const VF32 growth = hn::MulAdd(hn::Mul(argument.bounded, sigmoid.complement), argument.slope, hn::Set(F32(), 1.0f));
    return hn::Mul(dy, hn::Mul(sigmoid.value, growth));
  }
};

template <typename T>
void GeluTanhLoop(int64_t n, const T* x, T* out) {
  MapVectors(n, out, TimesSigmoid(), x);
}

template <typename T>
void GeluTanhGradLoop(int64_t n, const T* x, const T* dy, T* dx) {
  MapVectors(n, dx, TimesSigmoidGrad(), x, dy);
}

struct Capped {
  VF32 cap;
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Mul(cap, TanhOf(hn::Div(x, cap))); }
};

struct CappedGrad {
  VF32 cap;
  HWY_INLINE VF32 operator()(VF32 y, VF32 dy) const {
    const VF32 tanh = hn::Div(y, cap);  // Not y times 1 / cap, which may exceed 1.
    return hn::Mul(dy, hn::NegMulAdd(tanh, tanh, hn::Set(F32(), 1.0f)));
  }
};

struct CappedGradOfInput {
  VF32 cap;
  HWY_INLINE VF32 operator()(VF32 x, VF32 dy) const { return CappedGrad{cap}(Capped{cap}(x), dy); }
};

template <typename T>
void SoftCapLoop(int64_t n, float cap, const T* x, T* y) {
  MapVectors(n, y, Capped{hn::Set(F32(), cap)}, x);
}

void SoftCapGradLoop(int64_t n, float cap, const float* y, const float* dy, float* dx) {
  MapVectors(n, dx, CappedGrad{hn::Set(F32(), cap)}, y, dy);
}

void SoftCapGradOfInputLoop(int64_t n, float cap, const BFloat16* x, const BFloat16* dy, BFloat16* dx) {
  MapVectors(n, dx, CappedGradOfInput{hn::Set(F32(), cap)}, x, dy);
}

struct Gated {
  HWY_INLINE VF32 operator()(VF32 gate, VF32 up) const { return hn::Mul(hn::Mul(gate, Sigmoid(gate).value), up); }
};

template <typename T>
void SwiGluLoop(int64_t n, const T* gate, const T* up, T* out) {
  MapVectors(n, out, Gated(), gate, up);
}

struct GateAndUp {
  VF32 first, second;
};

struct GatedGrads {
  HWY_INLINE GateAndUp operator()(VF32 gate, VF32 up, VF32 dy) const {
    const Sigmoid sigmoid(gate);
    const VF32 slope = hn::Mul(sigmoid.value, hn::MulAdd(gate, sigmoid.complement, hn::Set(F32(), 1.0f)));
    return {hn::Mul(hn::Mul(dy, up), slope), hn::Mul(dy, hn::Mul(gate, sigmoid.value))};
  }
};

template <typename T>
void SwiGluGradLoop(int64_t n, const T* gate, const T* up, const T* dy, T* dgate, T* dup) {
  MapVectorsToTwo(n, dgate, dup, GatedGrads(), gate, up, dy);
}

TWOFOUR_NAME_INSTANCES(ExpLoop);
TWOFOUR_NAME_INSTANCES(LogLoop);
TWOFOUR_NAME_INSTANCES(SigmoidLoop);
TWOFOUR_NAME_INSTANCES(SigmoidGradLoop);
TWOFOUR_NAME_INSTANCES(GeluLoop);
TWOFOUR_NAME_INSTANCES(GeluGradLoop);
TWOFOUR_NAME_INSTANCES(GeluTanhLoop);
TWOFOUR_NAME_INSTANCES(GeluTanhGradLoop);
TWOFOUR_NAME_INSTANCES(SoftCapLoop);
TWOFOUR_NAME_INSTANCES(SwiGluLoop);
TWOFOUR_NAME_INSTANCES(SwiGluGradLoop);

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

TWOFOUR_EXPORT_INSTANCES(ExpLoop);
TWOFOUR_EXPORT_INSTANCES(LogLoop);
TWOFOUR_EXPORT_INSTANCES(SigmoidLoop);
TWOFOUR_EXPORT_INSTANCES(SigmoidGradLoop);
TWOFOUR_EXPORT_INSTANCES(GeluLoop);
TWOFOUR_EXPORT_INSTANCES(GeluGradLoop);
TWOFOUR_EXPORT_INSTANCES(GeluTanhLoop);
TWOFOUR_EXPORT_INSTANCES(GeluTanhGradLoop);
TWOFOUR_EXPORT_INSTANCES(SoftCapLoop);
HWY_EXPORT(SoftCapGradLoop);
HWY_EXPORT(SoftCapGradOfInputLoop);
TWOFOUR_EXPORT_INSTANCES(SwiGluLoop);
TWOFOUR_EXPORT_INSTANCES(SwiGluGradLoop);

namespace loops {

void SoftCapGrad(int64_t n, float cap, const float* y, const float* dy, float* dx) {
  TWOFOUR_DYNAMIC_DISPATCH(SoftCapGradLoop)(n, cap, y, dy, dx);
}

void SoftCapGradOfInput(int64_t n, float cap, const BFloat16* x, const BFloat16* dy, BFloat16* dx) {
  TWOFOUR_DYNAMIC_DISPATCH(SoftCapGradOfInputLoop)(n, cap, x, dy, dx);
}

#define TWOFOUR_LOOPS(T)                                                                                            \
  void Exp(int64_t n, const T* x, T* out) { TWOFOUR_DISPATCH_INSTANCE(ExpLoop, T)(n, x, out); }                     \
  void Log(int64_t n, const T* x, T* out) { TWOFOUR_DISPATCH_INSTANCE(LogLoop, T)(n, x, out); }                     \
  void Sigmoid(int64_t n, const T* x, T* out) { TWOFOUR_DISPATCH_INSTANCE(SigmoidLoop, T)(n, x, out); }             \
  void SigmoidGrad(int64_t n, const T* x, const T* dy, T* dx) {                                                     \
    TWOFOUR_DISPATCH_INSTANCE(SigmoidGradLoop, T)(n, x, dy, dx);                                                    \
  }                                                                                                                 \
  void Gelu(int64_t n, const T* x, T* out) { TWOFOUR_DISPATCH_INSTANCE(GeluLoop, T)(n, x, out); }                   \
  void GeluGrad(int64_t n, const T* x, const T* dy, T* dx) {                                                        \
    TWOFOUR_DISPATCH_INSTANCE(GeluGradLoop, T)(n, x, dy, dx);                                                       \
  }                                                                                                                 \
  void GeluTanh(int64_t n, const T* x, T* out) { TWOFOUR_DISPATCH_INSTANCE(GeluTanhLoop, T)(n, x, out); }           \
  void GeluTanhGrad(int64_t n, const T* x, const T* dy, T* dx) {                                                    \
    TWOFOUR_DISPATCH_INSTANCE(GeluTanhGradLoop, T)(n, x, dy, dx);                                                   \
  }                                                                                                                 \
  void SoftCap(int64_t n, float cap, const T* x, T* y) { TWOFOUR_DISPATCH_INSTANCE(SoftCapLoop, T)(n, cap, x, y); } \
  void SwiGlu(int64_t n, const T* gate, const T* up, T* out) {                                                      \
    TWOFOUR_DISPATCH_INSTANCE(SwiGluLoop, T)(n, gate, up, out);                                                     \
  }                                                                                                                 \
  void SwiGluGrad(int64_t n, const T* gate, const T* up, const T* dy, T* dgate, T* dup) {                           \
    TWOFOUR_DISPATCH_INSTANCE(SwiGluGradLoop, T)(n, gate, up, dy, dgate, dup);                                      \
  }
TWOFOUR_LOOPS(float)
TWOFOUR_LOOPS(BFloat16)
#undef TWOFOUR_LOOPS

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
