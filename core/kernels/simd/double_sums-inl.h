// Sums of f32 or bf16 in double, for files that are compiled once for each instruction set (see vector_loop-inl.h).
#if defined(TWOFOUR_CORE_KERNELS_SIMD_DOUBLE_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_SIMD_DOUBLE_SUMS_INL_H_
#undef TWOFOUR_CORE_KERNELS_SIMD_DOUBLE_SUMS_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_SIMD_DOUBLE_SUMS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/kernels/simd/load_store-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F64 = hn::ScalableTag<double>;
using VF64 = hn::Vec<F64>;
inline constexpr int64_t kF64Lanes = static_cast<int64_t>(hn::MaxLanes(F64()));

/// Loads as many elements as a vector of f64 holds, and converts them.
template <typename T>
HWY_INLINE VF64 LoadAsF64(const T* x) {
  return hn::PromoteTo(F64(), LoadAsF32(hn::Rebind<float, F64>(), x));
}

/// The last `count` < kPartialSums elements of an array, followed by zeros.
template <typename T>
struct PaddedTail {
  HWY_INLINE PaddedTail(const T* x, int64_t count) {
    std::fill_n(values, loops::kPartialSums, static_cast<T>(0.0f));
    std::copy_n(x, count, values);
  }
  T values[loops::kPartialSums];
};

template <class Term, class... Tail>
HWY_INLINE void AddTailTerms(int64_t count, Term term, double* partial, const Tail&... tails) {
  HWY_ALIGN double terms[loops::kPartialSums];
  for (int64_t j = 0; j < loops::kPartialSums; j += kF64Lanes) {
    hn::Store(term(LoadAsF64(tails.values + j)...), F64(), terms + j);
  }
  for (int64_t j = 0; j < count; ++j) partial[j] += terms[j];
}

/// The sum of term(in[i]...) over i in [0, n), in the order that reduce_loops.h documents.
template <class Term, class... In>
HWY_INLINE double SumTerms(int64_t n, Term term, const In*... in) {
  constexpr int64_t kVectors = loops::kPartialSums / kF64Lanes;
  VF64 sums[kVectors];
  for (VF64& sum : sums) sum = hn::Zero(F64());
  int64_t i = 0;
  for (; i + loops::kPartialSums <= n; i += loops::kPartialSums) {
    for (int64_t v = 0; v < kVectors; ++v) sums[v] = hn::Add(sums[v], term(LoadAsF64(in + i + v * kF64Lanes)...));
  }
  HWY_ALIGN double partial[loops::kPartialSums];
  for (int64_t v = 0; v < kVectors; ++v) hn::Store(sums[v], F64(), partial + v * kF64Lanes);
  if (i < n) AddTailTerms(n - i, term, partial, PaddedTail<In>(in + i, n - i)...);
  for (int64_t width = loops::kPartialSums / 2; width > 0; width /= 2) {
    for (int64_t j = 0; j < width; ++j) partial[j] += partial[j + width];
  }
  return partial[0];
}

/// A term for SumTerms.
struct Square {
  HWY_INLINE VF64 operator()(VF64 x) const { return hn::Mul(x, x); }
};

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_SIMD_DOUBLE_SUMS_INL_H_
