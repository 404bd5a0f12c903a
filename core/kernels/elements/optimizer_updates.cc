#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/elements/optimizer_updates.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/elements/optimizer_updates.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"
#include "twofour/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

struct AdamWRule {
  VF32 beta1, beta2, gain1, gain2, shrink, rate, root_correction, eps;

  HWY_INLINE explicit AdamWRule(const AdamWFactors& factors)
      : beta1(hn::Set(F32(), factors.beta1)),
        beta2(hn::Set(F32(), factors.beta2)),
        gain1(hn::Set(F32(), factors.gain1)),
        gain2(hn::Set(F32(), factors.gain2)),
        shrink(hn::Set(F32(), factors.shrink)),
        rate(hn::Set(F32(), factors.rate)),
        root_correction(hn::Set(F32(), factors.root_correction)),
        eps(hn::Set(F32(), factors.eps)) {}

  HWY_INLINE void Apply(VF32 grad, VF32& parameter, VF32& m, VF32& v) const {
    m = hn::Add(hn::Mul(beta1, m), hn::Mul(gain1, grad));
    v = hn::Add(hn::Mul(beta2, v), hn::Mul(hn::Mul(gain2, grad), grad));
    const VF32 root = hn::Add(hn::Mul(hn::Sqrt(v), root_correction), eps);
    parameter = hn::Sub(hn::Mul(shrink, parameter), hn::Div(hn::Mul(rate, m), root));
  }
};

void AdamWLoop(int64_t n, const AdamWFactors& factors, const float* grad, float* parameter, float* m, float* v) {
  const AdamWRule rule(factors);
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) {
    VF32 vp = hn::LoadU(F32(), parameter + i), vm = hn::LoadU(F32(), m + i), vv = hn::LoadU(F32(), v + i);
    rule.Apply(hn::LoadU(F32(), grad + i), vp, vm, vv);
    hn::StoreU(vp, F32(), parameter + i);
    hn::StoreU(vm, F32(), m + i);
    hn::StoreU(vv, F32(), v + i);
  }
  if (const int64_t rest = n - i; rest > 0) {
    VF32 vp = LoadTail(parameter + i, rest), vm = LoadTail(m + i, rest), vv = LoadTail(v + i, rest);
    rule.Apply(LoadTail(grad + i, rest), vp, vm, vv);
    StoreTail(vp, rest, parameter + i);
    StoreTail(vm, rest, m + i);
    StoreTail(vv, rest, v + i);
  }
}

struct SgdRule {
  VF32 rate, momentum, weight_decay;
  bool nesterov;

  HWY_INLINE explicit SgdRule(const SgdFactors& factors)
      : rate(hn::Set(F32(), factors.rate)),
        momentum(hn::Set(F32(), factors.momentum)),
        weight_decay(hn::Set(F32(), factors.weight_decay)),
        nesterov(factors.nesterov) {}

  HWY_INLINE VF32 Direction(VF32 grad, VF32 parameter) const { return hn::Add(grad, hn::Mul(weight_decay, parameter)); }

  HWY_INLINE VF32 Moved(VF32 parameter, VF32 direction) const { return hn::Sub(parameter, hn::Mul(rate, direction)); }

  HWY_INLINE void Apply(VF32 grad, VF32& parameter, VF32& buffer) const {
    const VF32 direction = Direction(grad, parameter);
    buffer = hn::Add(hn::Mul(momentum, buffer), direction);
    parameter = Moved(parameter, nesterov ? hn::Add(direction, hn::Mul(momentum, buffer)) : buffer);
  }

  /// The rule without momentum.
  HWY_INLINE VF32 operator()(VF32 grad, VF32 parameter) const { return Moved(parameter, Direction(grad, parameter)); }
};

void SgdLoop(int64_t n, const SgdFactors& factors, const float* grad, float* parameter, float* buffer) {
  const SgdRule rule(factors);
  if (buffer == nullptr) return MapVectors(n, parameter, rule, grad, parameter);
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) {
    VF32 vp = hn::LoadU(F32(), parameter + i), vb = hn::LoadU(F32(), buffer + i);
    rule.Apply(hn::LoadU(F32(), grad + i), vp, vb);
    hn::StoreU(vp, F32(), parameter + i);
    hn::StoreU(vb, F32(), buffer + i);
  }
  if (const int64_t rest = n - i; rest > 0) {
    VF32 vp = LoadTail(parameter + i, rest), vb = LoadTail(buffer + i, rest);
    rule.Apply(LoadTail(grad + i, rest), vp, vb);
    StoreTail(vp, rest, parameter + i);
    StoreTail(vb, rest, buffer + i);
  }
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(AdamWLoop);
HWY_EXPORT(SgdLoop);

void AdamWUpdate(int64_t n, const AdamWFactors& factors, const float* grad, float* parameter, float* m, float* v) {
  ParallelFor(n, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    TWOFOUR_DYNAMIC_DISPATCH(AdamWLoop)
    (end - begin, factors, grad + begin, parameter + begin, m + begin, v + begin);
  });
}

void SgdUpdate(int64_t n, const SgdFactors& factors, const float* grad, float* parameter, float* buffer) {
  ParallelFor(n, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    TWOFOUR_DYNAMIC_DISPATCH(SgdLoop)
    (end - begin, factors, grad + begin, parameter + begin, buffer == nullptr ? nullptr : buffer + begin);
  });
}

}  // namespace twofour::kernels
#endif  // HWY_ONCE
