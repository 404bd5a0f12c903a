#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <cmath>
#include <limits>

#include "twofour/core/kernels/rows/softmax_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/rows/softmax_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/double_sums-inl.h"
#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"
#include "twofour/core/kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

struct Identity {
  HWY_INLINE VF64 operator()(VF64 x) const { return x; }
};

/// The largest of n > 0 elements. If one of them is a NaN, the result may be any number.
float Highest(int64_t n, const float* x) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  VF32 highest = hn::Set(F32(), kLowest);
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) highest = hn::Max(highest, hn::LoadU(F32(), x + i));
  if (i < n) highest = hn::Max(highest, LoadTail(x + i, n - i, kLowest));
  return hn::GetLane(hn::MaxOfLanes(F32(), highest));
}

void SoftmaxLoop(int64_t n, const float* x, float* y) {
  MapVectors(n, y, ShiftedExp{hn::Set(F32(), Highest(n, x))}, x);
  const auto scale = static_cast<float>(1.0 / SumTerms(n, Identity(), y));
  MapVectors(n, y, Scaled{hn::Set(F32(), scale)}, y);
}

struct LessTimes {
  VF32 subtrahend;
  HWY_INLINE VF32 operator()(VF32 y, VF32 dy) const { return hn::Mul(y, hn::Sub(dy, subtrahend)); }
};

void SoftmaxGradLoop(int64_t n, const float* y, const float* dy, float* dx) {
  const auto dot = static_cast<float>(loops::Dot(n, y, dy));
  MapVectors(n, dx, LessTimes{hn::Set(F32(), dot)}, y, dy);
}

struct LessBoth {
  VF32 highest, log_sum;
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Sub(hn::Sub(x, highest), log_sum); }
};

loops::ExpSum<float> SumExpLoop(int64_t n, const float* x) {
  const float highest = Highest(n, x);
  constexpr int64_t kBlock = 512;
  HWY_ALIGN float exponentials[kBlock];
  double sum = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = std::min(kBlock, n - begin);
    MapVectors(count, exponentials, ShiftedExp{hn::Set(F32(), highest)}, x + begin);
    sum += SumTerms(count, Identity(), static_cast<const float*>(exponentials));
  }
  return {highest, sum};
}

void LogSoftmaxLoop(int64_t n, const float* x, float* y) {
  const auto [highest, sum] = SumExpLoop(n, x);
  MapVectors(n, y, LessBoth{hn::Set(F32(), highest), hn::Set(F32(), static_cast<float>(std::log(sum)))}, x);
}

struct LessShare {
  ShiftedExp exponential;
  VF32 sum;
  HWY_INLINE VF32 operator()(VF32 y, VF32 dy) const { return hn::Sub(dy, hn::Mul(exponential(y), sum)); }
};

void LogSoftmaxGradLoop(int64_t n, const float* y, const float* dy, float* dx) {
  const auto sum = static_cast<float>(loops::Sum(n, dy));
  MapVectors(n, dx, LessShare{ShiftedExp{hn::Zero(F32())}, hn::Set(F32(), sum)}, y, dy);
}

struct ScaledExponential {
  ShiftedExp exponential;
  VF32 factor;
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Mul(exponential(x), factor); }
};

template <typename T>
void ScaledExpLoop(int64_t n, float shift, float factor, const float* x, T* out) {
  MapVectors(n, out, ScaledExponential{ShiftedExp{hn::Set(F32(), shift)}, hn::Set(F32(), factor)}, x);
}

struct ScaledExponentialOfCapped {
  ScaledExponential exponential;
  VF32 cap;
  HWY_INLINE VF32 operator()(VF32 x) const {
    const VF32 tanh = hn::Div(x, cap);  // Not x times 1 / cap, which may exceed 1.
    return hn::Mul(exponential(x), hn::NegMulAdd(tanh, tanh, hn::Set(F32(), 1.0f)));
  }
};

template <typename T>
void ScaledExpOfCappedLoop(int64_t n, float shift, float factor, float cap, const float* x, T* out) {
  const ScaledExponential exponential{ShiftedExp{hn::Set(F32(), shift)}, hn::Set(F32(), factor)};
  MapVectors(n, out, ScaledExponentialOfCapped{exponential, hn::Set(F32(), cap)}, x);
}

TWOFOUR_NAME_INSTANCES(ScaledExpLoop);
TWOFOUR_NAME_INSTANCES(ScaledExpOfCappedLoop);

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(SoftmaxLoop);
HWY_EXPORT(SoftmaxGradLoop);
HWY_EXPORT(LogSoftmaxLoop);
HWY_EXPORT(LogSoftmaxGradLoop);
HWY_EXPORT(SumExpLoop);
TWOFOUR_EXPORT_INSTANCES(ScaledExpLoop);
TWOFOUR_EXPORT_INSTANCES(ScaledExpOfCappedLoop);

namespace loops {

void Softmax(int64_t n, const float* x, float* y) { TWOFOUR_DYNAMIC_DISPATCH(SoftmaxLoop)(n, x, y); }

void SoftmaxGrad(int64_t n, const float* y, const float* dy, float* dx) {
  TWOFOUR_DYNAMIC_DISPATCH(SoftmaxGradLoop)(n, y, dy, dx);
}

void LogSoftmax(int64_t n, const float* x, float* y) { TWOFOUR_DYNAMIC_DISPATCH(LogSoftmaxLoop)(n, x, y); }

void LogSoftmaxGrad(int64_t n, const float* y, const float* dy, float* dx) {
  TWOFOUR_DYNAMIC_DISPATCH(LogSoftmaxGradLoop)(n, y, dy, dx);
}

ExpSum<float> SumExp(int64_t n, const float* x) { return TWOFOUR_DYNAMIC_DISPATCH(SumExpLoop)(n, x); }

#define TWOFOUR_LOOPS(T)                                                                            \
  void ScaledExp(int64_t n, float shift, float factor, const float* x, T* out) {                    \
    TWOFOUR_DISPATCH_INSTANCE(ScaledExpLoop, T)(n, shift, factor, x, out);                          \
  }                                                                                                 \
  void ScaledExpOfCapped(int64_t n, float shift, float factor, float cap, const float* x, T* out) { \
    TWOFOUR_DISPATCH_INSTANCE(ScaledExpOfCappedLoop, T)(n, shift, factor, cap, x, out);             \
  }
TWOFOUR_LOOPS(float)
TWOFOUR_LOOPS(BFloat16)
#undef TWOFOUR_LOOPS

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
