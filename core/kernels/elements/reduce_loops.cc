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

struct Square {
  HWY_INLINE VF64 operator()(VF64 x) const { return hn::Mul(x, x); }
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

double SumLoop(int64_t n, const float* x) { return SumTerms(n, Value(), x); }

double SumOfSquaresLoop(int64_t n, const float* x) { return SumTerms(n, Square(), x); }

double SumOfSquaredDifferencesLoop(int64_t n, const float* a, const float* b) {
  return SumTerms(n, SquaredDifference(), a, b);
}

double DotLoop(int64_t n, const float* a, const float* b) { return SumTerms(n, Product(), a, b); }

double SumOfSquaredDeviationsLoop(int64_t n, double center, const float* x) {
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

void AddRowsToLoop(int64_t rows, int64_t cols, int64_t stride, const float* matrix, double* sums) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *x0 = matrix + r * stride, *x1 = x0 + stride, *x2 = x1 + stride, *x3 = x2 + stride;
    int64_t c = 0;
    for (; c + kF64Lanes <= cols; c += kF64Lanes) {
      const VF64 upper = hn::Add(LoadAsF64(x0 + c), LoadAsF64(x1 + c));
      const VF64 lower = hn::Add(LoadAsF64(x2 + c), LoadAsF64(x3 + c));
      hn::StoreU(hn::Add(hn::LoadU(F64(), sums + c), hn::Add(upper, lower)), F64(), sums + c);
    }
    for (; c < cols; ++c) {
      const double upper = static_cast<double>(x0[c]) + static_cast<double>(x1[c]);
      const double lower = static_cast<double>(x2[c]) + static_cast<double>(x3[c]);
      sums[c] += upper + lower;
    }
  }
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) sums[c] += static_cast<double>(matrix[r * stride + c]);
  }
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(SumLoop);
HWY_EXPORT(SumOfSquaresLoop);
HWY_EXPORT(SumOfSquaredDifferencesLoop);
HWY_EXPORT(DotLoop);
HWY_EXPORT(SumOfSquaredDeviationsLoop);
HWY_EXPORT(CountNonZeroLoop);
HWY_EXPORT(AllFiniteLoop);
HWY_EXPORT(AddRowsToLoop);

namespace loops {

double Sum(int64_t n, const float* x) { return TWOFOUR_DYNAMIC_DISPATCH(SumLoop)(n, x); }

double SumOfSquares(int64_t n, const float* x) { return TWOFOUR_DYNAMIC_DISPATCH(SumOfSquaresLoop)(n, x); }

double SumOfSquaredDifferences(int64_t n, const float* a, const float* b) {
  return TWOFOUR_DYNAMIC_DISPATCH(SumOfSquaredDifferencesLoop)(n, a, b);
}

double Dot(int64_t n, const float* a, const float* b) { return TWOFOUR_DYNAMIC_DISPATCH(DotLoop)(n, a, b); }

double SumOfSquaredDeviations(int64_t n, double center, const float* x) {
  return TWOFOUR_DYNAMIC_DISPATCH(SumOfSquaredDeviationsLoop)(n, center, x);
}

int64_t CountNonZero(int64_t n, const float* x) { return TWOFOUR_DYNAMIC_DISPATCH(CountNonZeroLoop)(n, x); }

bool AllFinite(int64_t n, const float* x) { return TWOFOUR_DYNAMIC_DISPATCH(AllFiniteLoop)(n, x); }

void AddRowsTo(int64_t rows, int64_t cols, int64_t stride, const float* matrix, double* sums) {
  TWOFOUR_DYNAMIC_DISPATCH(AddRowsToLoop)(rows, cols, stride, matrix, sums);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
