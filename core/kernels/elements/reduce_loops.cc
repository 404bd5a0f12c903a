#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/elements/reduce_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/elements/reduce_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/double_sums-inl.h"
#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

struct Value {
  HWY_INLINE VF64 operator()(VF64 x) const { return x; }
};

struct SquaredDifference {
  HWY_INLINE VF64 operator()(VF64 a, VF64 b) const { return Square()(hn::Sub(a, b)); }
};

struct Product {
  HWY_INLINE VF64 operator()(VF64 a, VF64 b) const { return hn::Mul(a, b); }
};

struct SquaredDeviation {
  VF64 center;
  HWY_INLINE VF64 operator()(VF64 x) const { return Square()(hn::Sub(x, center)); }
};

template <typename T>
double SumLoop(int64_t n, const T* x) {
  return SumTerms(n, Value(), x);
}

template <typename T>
double SumOfSquaresLoop(int64_t n, const T* x) {
  return SumTerms(n, Square(), x);
}

double SumOfSquaredDifferencesLoop(int64_t n, const float* a, const float* b) {
  return SumTerms(n, SquaredDifference(), a, b);
}

template <typename T>
double DotLoop(int64_t n, const T* a, const float* b) {
  return SumTerms(n, Product(), a, b);
}

template <typename T>
void RowDotsLoop(int64_t rows, int64_t cols, const T* a, const T* b, float* dots, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) {
    dots[r * stride] = static_cast<float>(SumTerms(cols, Product(), a + r * cols, b + r * cols));
  }
}

template <typename T>
double SumOfSquaredDeviationsLoop(int64_t n, double center, const T* x) {
  return SumTerms(n, SquaredDeviation{hn::Set(F64(), center)}, x);
}

int64_t CountNonZeroLoop(int64_t n, const float* x) {
  // Counts the zeros, because the last vector is padded with ones.
  size_t zeros = 0;
  const VF32 zero = hn::Zero(F32());
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) zeros += hn::CountTrue(F32(), hn::Eq(hn::LoadU(F32(), x + i), zero));
  if (i < n) zeros += hn::CountTrue(F32(), hn::Eq(LoadTail(x + i, n - i, 1.0f), zero));
  return n - static_cast<int64_t>(zeros);
}

bool AllFiniteLoop(int64_t n, const float* x) {
  // x - x is +0, all bits zero, for a finite x and NaN otherwise.
  VF32 bits = hn::Zero(F32());
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) {
    const VF32 v = hn::LoadU(F32(), x + i);
    bits = hn::Or(bits, hn::Sub(v, v));
  }
  if (i < n) {
    const VF32 v = LoadTail(x + i, n - i);
    bits = hn::Or(bits, hn::Sub(v, v));
  }
  return hn::AllTrue(F32(), hn::Eq(bits, hn::Zero(F32())));
}

template <typename T>
double AsDouble(T x) {
  return static_cast<double>(static_cast<float>(x));
}

template <typename T>
void AddRowsToLoop(int64_t rows, int64_t cols, int64_t stride, const T* matrix, double* sums) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T *x0 = matrix + r * stride, *x1 = x0 + stride, *x2 = x1 + stride, *x3 = x2 + stride;
    int64_t c = 0;
    for (; c + kF64Lanes <= cols; c += kF64Lanes) {
      const VF64 upper = hn::Add(LoadAsF64(x0 + c), LoadAsF64(x1 + c));
      const VF64 lower = hn::Add(LoadAsF64(x2 + c), LoadAsF64(x3 + c));
      hn::StoreU(hn::Add(hn::LoadU(F64(), sums + c), hn::Add(upper, lower)), F64(), sums + c);
    }
    for (; c < cols; ++c) {
      sums[c] += (AsDouble(x0[c]) + AsDouble(x1[c])) + (AsDouble(x2[c]) + AsDouble(x3[c]));
    }
  }
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) sums[c] += AsDouble(matrix[r * stride + c]);
  }
}

TWOFOUR_NAME_INSTANCES(SumLoop);
TWOFOUR_NAME_INSTANCES(SumOfSquaresLoop);
TWOFOUR_NAME_INSTANCES(DotLoop);
TWOFOUR_NAME_INSTANCES(RowDotsLoop);
TWOFOUR_NAME_INSTANCES(SumOfSquaredDeviationsLoop);
TWOFOUR_NAME_INSTANCES(AddRowsToLoop);

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

TWOFOUR_EXPORT_INSTANCES(SumLoop);
TWOFOUR_EXPORT_INSTANCES(SumOfSquaresLoop);
HWY_EXPORT(SumOfSquaredDifferencesLoop);
TWOFOUR_EXPORT_INSTANCES(DotLoop);
TWOFOUR_EXPORT_INSTANCES(RowDotsLoop);
TWOFOUR_EXPORT_INSTANCES(SumOfSquaredDeviationsLoop);
HWY_EXPORT(CountNonZeroLoop);
HWY_EXPORT(AllFiniteLoop);
TWOFOUR_EXPORT_INSTANCES(AddRowsToLoop);

namespace loops {

double SumOfSquaredDifferences(int64_t n, const float* a, const float* b) {
  return TWOFOUR_DYNAMIC_DISPATCH(SumOfSquaredDifferencesLoop)(n, a, b);
}

int64_t CountNonZero(int64_t n, const float* x) { return TWOFOUR_DYNAMIC_DISPATCH(CountNonZeroLoop)(n, x); }

bool AllFinite(int64_t n, const float* x) { return TWOFOUR_DYNAMIC_DISPATCH(AllFiniteLoop)(n, x); }

#define TWOFOUR_LOOPS(T)                                                                                       \
  double Sum(int64_t n, const T* x) { return TWOFOUR_DISPATCH_INSTANCE(SumLoop, T)(n, x); }                    \
  double SumOfSquares(int64_t n, const T* x) { return TWOFOUR_DISPATCH_INSTANCE(SumOfSquaresLoop, T)(n, x); }  \
  double Dot(int64_t n, const T* a, const float* b) { return TWOFOUR_DISPATCH_INSTANCE(DotLoop, T)(n, a, b); } \
  void RowDots(int64_t rows, int64_t cols, const T* a, const T* b, float* dots, int64_t stride) {              \
    TWOFOUR_DISPATCH_INSTANCE(RowDotsLoop, T)(rows, cols, a, b, dots, stride);                                 \
  }                                                                                                            \
  double SumOfSquaredDeviations(int64_t n, double center, const T* x) {                                        \
    return TWOFOUR_DISPATCH_INSTANCE(SumOfSquaredDeviationsLoop, T)(n, center, x);                             \
  }                                                                                                            \
  void AddRowsTo(int64_t rows, int64_t cols, int64_t stride, const T* matrix, double* sums) {                  \
    TWOFOUR_DISPATCH_INSTANCE(AddRowsToLoop, T)(rows, cols, stride, matrix, sums);                             \
  }
TWOFOUR_LOOPS(float)
TWOFOUR_LOOPS(BFloat16)
#undef TWOFOUR_LOOPS

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
