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

struct Difference2 {
  HWY_INLINE VF32 operator()(VF32 a, VF32 b) const { return hn::Sub(a, b); }
};

struct Product2 {
  HWY_INLINE VF32 operator()(VF32 a, VF32 b) const { return hn::Mul(a, b); }
};

struct Quotient2 {
  HWY_INLINE VF32 operator()(VF32 a, VF32 b) const { return hn::Div(a, b); }
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

template <typename T>
void AddLoop(int64_t n, const T* a, const T* b, T* out) {
  MapVectors(n, out, Sum2(), a, b);
}

template <typename T>
void SubLoop(int64_t n, const T* a, const T* b, T* out) {
  MapVectors(n, out, Difference2(), a, b);
}

template <typename T>
void MulLoop(int64_t n, const T* a, const T* b, T* out) {
  MapVectors(n, out, Product2(), a, b);
}

template <typename T>
void DivLoop(int64_t n, const T* a, const T* b, T* out) {
  MapVectors(n, out, Quotient2(), a, b);
}

template <typename T>
void ScaleLoop(int64_t n, float factor, const T* a, T* out) {
  MapVectors(n, out, Scaled{hn::Set(F32(), factor)}, a);
}

void AxpyLoop(int64_t n, float factor, const float* x, float* y) {
  MapVectors(n, y, ScaledSum{hn::Set(F32(), factor)}, y, x);
}

template <typename T>
void ReluLoop(int64_t n, const T* x, T* out) {
  MapVectors(n, out, Positive(), x);
}

template <typename T>
void ReluGradLoop(int64_t n, const T* x, const T* dy, T* dx) {
  MapVectors(n, dx, PositiveGrad(), x, dy);
}

template <typename T>
void ReluSquaredLoop(int64_t n, const T* x, T* out) {
  MapVectors(n, out, PositiveSquared(), x);
}

template <typename T>
void ReluSquaredGradLoop(int64_t n, const T* x, const T* dy, T* dx) {
  MapVectors(n, dx, PositiveSquaredGrad(), x, dy);
}

template <typename T>
void AddRowLoop(int64_t rows, int64_t cols, const float* row, T* matrix) {
  for (int64_t r = 0; r < rows; ++r, matrix += cols) MapVectors(cols, matrix, Sum2(), matrix, row);
}

template <typename T>
void AddToLoop(int64_t n, const T* x, float* sums) {
  MapVectors(n, sums, Sum2(), sums, x);
}

TWOFOUR_NAME_INSTANCES(AddLoop);
TWOFOUR_NAME_INSTANCES(SubLoop);
TWOFOUR_NAME_INSTANCES(MulLoop);
TWOFOUR_NAME_INSTANCES(DivLoop);
TWOFOUR_NAME_INSTANCES(ScaleLoop);
TWOFOUR_NAME_INSTANCES(ReluLoop);
TWOFOUR_NAME_INSTANCES(ReluGradLoop);
TWOFOUR_NAME_INSTANCES(ReluSquaredLoop);
TWOFOUR_NAME_INSTANCES(ReluSquaredGradLoop);
TWOFOUR_NAME_INSTANCES(AddRowLoop);
TWOFOUR_NAME_INSTANCES(AddToLoop);

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

TWOFOUR_EXPORT_INSTANCES(AddLoop);
TWOFOUR_EXPORT_INSTANCES(SubLoop);
TWOFOUR_EXPORT_INSTANCES(MulLoop);
TWOFOUR_EXPORT_INSTANCES(DivLoop);
TWOFOUR_EXPORT_INSTANCES(ScaleLoop);
HWY_EXPORT(AxpyLoop);
TWOFOUR_EXPORT_INSTANCES(ReluLoop);
TWOFOUR_EXPORT_INSTANCES(ReluGradLoop);
TWOFOUR_EXPORT_INSTANCES(ReluSquaredLoop);
TWOFOUR_EXPORT_INSTANCES(ReluSquaredGradLoop);
TWOFOUR_EXPORT_INSTANCES(AddRowLoop);
TWOFOUR_EXPORT_INSTANCES(AddToLoop);

namespace loops {

void Axpy(int64_t n, float factor, const float* x, float* y) { TWOFOUR_DYNAMIC_DISPATCH(AxpyLoop)(n, factor, x, y); }

#define TWOFOUR_LOOPS(T)                                                                                        \
  void Add(int64_t n, const T* a, const T* b, T* out) { TWOFOUR_DISPATCH_INSTANCE(AddLoop, T)(n, a, b, out); }  \
  void Sub(int64_t n, const T* a, const T* b, T* out) { TWOFOUR_DISPATCH_INSTANCE(SubLoop, T)(n, a, b, out); }  \
  void Mul(int64_t n, const T* a, const T* b, T* out) { TWOFOUR_DISPATCH_INSTANCE(MulLoop, T)(n, a, b, out); }  \
  void Div(int64_t n, const T* a, const T* b, T* out) { TWOFOUR_DISPATCH_INSTANCE(DivLoop, T)(n, a, b, out); }  \
  void Scale(int64_t n, float factor, const T* a, T* out) {                                                     \
    TWOFOUR_DISPATCH_INSTANCE(ScaleLoop, T)(n, factor, a, out);                                                 \
  }                                                                                                             \
  void Relu(int64_t n, const T* x, T* out) { TWOFOUR_DISPATCH_INSTANCE(ReluLoop, T)(n, x, out); }               \
  void ReluGrad(int64_t n, const T* x, const T* dy, T* dx) {                                                    \
    TWOFOUR_DISPATCH_INSTANCE(ReluGradLoop, T)(n, x, dy, dx);                                                   \
  }                                                                                                             \
  void ReluSquared(int64_t n, const T* x, T* out) { TWOFOUR_DISPATCH_INSTANCE(ReluSquaredLoop, T)(n, x, out); } \
  void ReluSquaredGrad(int64_t n, const T* x, const T* dy, T* dx) {                                             \
    TWOFOUR_DISPATCH_INSTANCE(ReluSquaredGradLoop, T)(n, x, dy, dx);                                            \
  }                                                                                                             \
  void AddRow(int64_t rows, int64_t cols, const float* row, T* matrix) {                                        \
    TWOFOUR_DISPATCH_INSTANCE(AddRowLoop, T)(rows, cols, row, matrix);                                          \
  }                                                                                                             \
  void AddTo(int64_t n, const T* x, float* sums) { TWOFOUR_DISPATCH_INSTANCE(AddToLoop, T)(n, x, sums); }
TWOFOUR_LOOPS(float)
TWOFOUR_LOOPS(BFloat16)
#undef TWOFOUR_LOOPS

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
