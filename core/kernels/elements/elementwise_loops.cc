#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/elements/elementwise_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/elements/elementwise_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

struct Sum2 {
  HWY_INLINE VF32 operator()(VF32 a, VF32 b) const { return hn::Add(a, b); }
};

struct Product2 {
  HWY_INLINE VF32 operator()(VF32 a, VF32 b) const { return hn::Mul(a, b); }
};

/// y + factor * x, rounded after the product and again after the sum.
struct ScaledSum {
  VF32 factor;
  HWY_INLINE VF32 operator()(VF32 y, VF32 x) const { return hn::Add(y, hn::Mul(factor, x)); }
};

/// max(x, 0). The comparison is false for a NaN, so a NaN stays a NaN.
struct Positive {
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(F32())), x); }
};

struct PositiveGrad {
  HWY_INLINE VF32 operator()(VF32 x, VF32 dy) const { return hn::IfThenElseZero(hn::Gt(x, hn::Zero(F32())), dy); }
};

struct PositiveSquared {
  HWY_INLINE VF32 operator()(VF32 x) const {
    const VF32 positive = Positive()(x);
    return hn::Mul(positive, positive);
  }
};

struct PositiveSquaredGrad {
  HWY_INLINE VF32 operator()(VF32 x, VF32 dy) const {
    return hn::Mul(hn::Mul(hn::Set(F32(), 2.0f), Positive()(x)), dy);
  }
};

void AddLoop(int64_t n, const float* a, const float* b, float* out) { MapVectors(n, out, Sum2(), a, b); }

void MulLoop(int64_t n, const float* a, const float* b, float* out) { MapVectors(n, out, Product2(), a, b); }

void ScaleLoop(int64_t n, float factor, const float* a, float* out) {
  MapVectors(n, out, Scaled{hn::Set(F32(), factor)}, a);
}

void AxpyLoop(int64_t n, float factor, const float* x, float* y) {
  MapVectors(n, y, ScaledSum{hn::Set(F32(), factor)}, y, x);
}

void ReluLoop(int64_t n, const float* x, float* out) { MapVectors(n, out, Positive(), x); }

void ReluGradLoop(int64_t n, const float* x, const float* dy, float* dx) { MapVectors(n, dx, PositiveGrad(), x, dy); }

void ReluSquaredLoop(int64_t n, const float* x, float* out) { MapVectors(n, out, PositiveSquared(), x); }

void ReluSquaredGradLoop(int64_t n, const float* x, const float* dy, float* dx) {
  MapVectors(n, dx, PositiveSquaredGrad(), x, dy);
}

void AddRowLoop(int64_t rows, int64_t cols, const float* row, float* matrix) {
  for (int64_t r = 0; r < rows; ++r, matrix += cols) MapVectors(cols, matrix, Sum2(), matrix, row);
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(AddLoop);
HWY_EXPORT(MulLoop);
HWY_EXPORT(ScaleLoop);
HWY_EXPORT(AxpyLoop);
HWY_EXPORT(ReluLoop);
HWY_EXPORT(ReluGradLoop);
HWY_EXPORT(ReluSquaredLoop);
HWY_EXPORT(ReluSquaredGradLoop);
HWY_EXPORT(AddRowLoop);

namespace loops {

void Add(int64_t n, const float* a, const float* b, float* out) { TWOFOUR_DYNAMIC_DISPATCH(AddLoop)(n, a, b, out); }

void Mul(int64_t n, const float* a, const float* b, float* out) { TWOFOUR_DYNAMIC_DISPATCH(MulLoop)(n, a, b, out); }

void Scale(int64_t n, float factor, const float* a, float* out) {
  TWOFOUR_DYNAMIC_DISPATCH(ScaleLoop)(n, factor, a, out);
}

void Axpy(int64_t n, float factor, const float* x, float* y) { TWOFOUR_DYNAMIC_DISPATCH(AxpyLoop)(n, factor, x, y); }

void Relu(int64_t n, const float* x, float* out) { TWOFOUR_DYNAMIC_DISPATCH(ReluLoop)(n, x, out); }

void ReluGrad(int64_t n, const float* x, const float* dy, float* dx) {
  TWOFOUR_DYNAMIC_DISPATCH(ReluGradLoop)(n, x, dy, dx);
}

void ReluSquared(int64_t n, const float* x, float* out) { TWOFOUR_DYNAMIC_DISPATCH(ReluSquaredLoop)(n, x, out); }

void ReluSquaredGrad(int64_t n, const float* x, const float* dy, float* dx) {
  TWOFOUR_DYNAMIC_DISPATCH(ReluSquaredGradLoop)(n, x, dy, dx);
}

void AddRow(int64_t rows, int64_t cols, const float* row, float* matrix) {
  TWOFOUR_DYNAMIC_DISPATCH(AddRowLoop)(rows, cols, row, matrix);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
