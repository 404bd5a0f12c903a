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

struct TimesNormal {
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Mul(x, Normal(x).cdf); }
};

struct TimesNormalGrad {
  HWY_INLINE VF32 operator()(VF32 x, VF32 dy) const {
    const Normal normal(x);
    return hn::Mul(dy, hn::MulAdd(x, normal.density, normal.cdf));
  }
};

void GeluLoop(int64_t n, const float* x, float* out) { MapVectors(n, out, TimesNormal(), x); }

void GeluGradLoop(int64_t n, const float* x, const float* dy, float* dx) {
  MapVectors(n, dx, TimesNormalGrad(), x, dy);
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

void SoftCapLoop(int64_t n, float cap, const float* x, float* y) { MapVectors(n, y, Capped{hn::Set(F32(), cap)}, x); }

void SoftCapGradLoop(int64_t n, float cap, const float* y, const float* dy, float* dx) {
  MapVectors(n, dx, CappedGrad{hn::Set(F32(), cap)}, y, dy);
}

struct Gated {
  HWY_INLINE VF32 operator()(VF32 gate, VF32 up) const { return hn::Mul(hn::Mul(gate, Sigmoid(gate).value), up); }
};

void SwiGluLoop(int64_t n, const float* gate, const float* up, float* out) { MapVectors(n, out, Gated(), gate, up); }

struct GatedGrads {
  HWY_INLINE GatedGrads(VF32 gate, VF32 up, VF32 dy) {
    const Sigmoid sigmoid(gate);
    const VF32 slope = hn::Mul(sigmoid.value, hn::MulAdd(gate, sigmoid.complement, hn::Set(F32(), 1.0f)));
    dgate = hn::Mul(hn::Mul(dy, up), slope);
    dup = hn::Mul(dy, hn::Mul(gate, sigmoid.value));
  }
  VF32 dgate, dup;
};

void SwiGluGradLoop(int64_t n, const float* gate, const float* up, const float* dy, float* dgate, float* dup) {
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) {
    const GatedGrads grads(hn::LoadU(F32(), gate + i), hn::LoadU(F32(), up + i), hn::LoadU(F32(), dy + i));
    hn::StoreU(grads.dgate, F32(), dgate + i);
    hn::StoreU(grads.dup, F32(), dup + i);
  }
  if (i == n) return;
  const GatedGrads grads(LoadTail(gate + i, n - i), LoadTail(up + i, n - i), LoadTail(dy + i, n - i));
  StoreTail(grads.dgate, n - i, dgate + i);
  StoreTail(grads.dup, n - i, dup + i);
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(GeluLoop);
HWY_EXPORT(GeluGradLoop);
HWY_EXPORT(SoftCapLoop);
HWY_EXPORT(SoftCapGradLoop);
HWY_EXPORT(SwiGluLoop);
HWY_EXPORT(SwiGluGradLoop);

namespace loops {

void Gelu(int64_t n, const float* x, float* out) { TWOFOUR_DYNAMIC_DISPATCH(GeluLoop)(n, x, out); }

void GeluGrad(int64_t n, const float* x, const float* dy, float* dx) {
  TWOFOUR_DYNAMIC_DISPATCH(GeluGradLoop)(n, x, dy, dx);
}

void SoftCap(int64_t n, float cap, const float* x, float* y) { TWOFOUR_DYNAMIC_DISPATCH(SoftCapLoop)(n, cap, x, y); }

void SoftCapGrad(int64_t n, float cap, const float* y, const float* dy, float* dx) {
  TWOFOUR_DYNAMIC_DISPATCH(SoftCapGradLoop)(n, cap, y, dy, dx);
}

void SwiGlu(int64_t n, const float* gate, const float* up, float* out) {
  TWOFOUR_DYNAMIC_DISPATCH(SwiGluLoop)(n, gate, up, out);
}

void SwiGluGrad(int64_t n, const float* gate, const float* up, const float* dy, float* dgate, float* dup) {
  TWOFOUR_DYNAMIC_DISPATCH(SwiGluGradLoop)(n, gate, up, dy, dgate, dup);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
