// Loops over arrays of f32 or bf16, one vector of f32 at a time, for files that are compiled once for each instruction
// set. Every -inl.h file has a guard like this one: Highway switches HWY_TARGET_TOGGLE from one instruction set to the
// next, so each set gets a copy of its own, once.
#if defined(TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_
#undef TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "twofour/core/kernels/simd/load_store-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VF32 = hn::Vec<F32>;
inline constexpr int64_t kF32Lanes = static_cast<int64_t>(hn::MaxLanes(F32()));

/// The first `count` < kF32Lanes elements at `x`, followed by `padding`.
template <typename T>
HWY_INLINE VF32 LoadTail(const T* x, int64_t count, float padding = 0.0f) {
  HWY_ALIGN T lanes[kF32Lanes];
  std::fill_n(lanes, kF32Lanes, static_cast<T>(padding));
  std::copy_n(x, count, lanes);
  return LoadAsF32(F32(), lanes);
}

template <typename T>
HWY_INLINE void StoreTail(VF32 v, int64_t count, T* out) {
  HWY_ALIGN T lanes[kF32Lanes];
  StoreFromF32(F32(), v, lanes);
  std::copy_n(lanes, count, out);
}

/// Rounds n floats.
HWY_INLINE void RoundVectors(int64_t n, const float* x, BFloat16* out) {
  int64_t i = 0;
  for (; i + 2 * kF32Lanes <= n; i += 2 * kF32Lanes) {
    StorePair(F32(), hn::LoadU(F32(), x + i), hn::LoadU(F32(), x + i + kF32Lanes), out + i);
  }
  if (i + kF32Lanes <= n) {
    StoreFromF32(F32(), hn::LoadU(F32(), x + i), out + i);
    i += kF32Lanes;
  }
  if (i < n) StoreTail(LoadTail(x + i, n - i), n - i, out + i);
}

/// Results in bf16 are computed as floats, in blocks of this length that stay in the first-level cache, and then
/// rounded. The processor can work on more elements at once in two short loops than in one loop that also rounds.
inline constexpr int64_t kRoundedBlock = 512;

/// out[i] = op(in[i]...) for i in [0, n), where op takes and returns vectors of f32. Each array holds f32 or bf16.
/// `out` may be one of the inputs of its type.
template <class Op, typename... In>
HWY_INLINE void MapVectors(int64_t n, float* out, Op op, const In*... in) {
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) hn::StoreU(op(LoadAsF32(F32(), in + i)...), F32(), out + i);
  if (i < n) StoreTail(op(LoadTail(in + i, n - i)...), n - i, out + i);
}

template <class Op, typename... In>
HWY_INLINE void MapVectors(int64_t n, BFloat16* out, Op op, const In*... in) {
  HWY_ALIGN float results[kRoundedBlock];
  for (int64_t begin = 0; begin < n; begin += kRoundedBlock) {
    const int64_t count = std::min(kRoundedBlock, n - begin);
    MapVectors(count, results, op, in + begin...);
    RoundVectors(count, results, out + begin);
  }
}

/// The same for an op with two results: op(in[i]...) has the vectors `first` and `second`.
template <class Op, typename... In>
HWY_INLINE void MapVectorsToTwo(int64_t n, float* first, float* second, Op op, const In*... in) {
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) {
    const auto results = op(LoadAsF32(F32(), in + i)...);
    hn::StoreU(results.first, F32(), first + i);
    hn::StoreU(results.second, F32(), second + i);
  }
  if (i == n) return;
  const auto results = op(LoadTail(in + i, n - i)...);
  StoreTail(results.first, n - i, first + i);
  StoreTail(results.second, n - i, second + i);
}

template <class Op, typename... In>
HWY_INLINE void MapVectorsToTwo(int64_t n, BFloat16* first, BFloat16* second, Op op, const In*... in) {
  HWY_ALIGN float first_results[kRoundedBlock];
  HWY_ALIGN float second_results[kRoundedBlock];
  for (int64_t begin = 0; begin < n; begin += kRoundedBlock) {
    const int64_t count = std::min(kRoundedBlock, n - begin);
    MapVectorsToTwo(count, first_results, second_results, op, in + begin...);
    RoundVectors(count, first_results, first + begin);
    RoundVectors(count, second_results, second + begin);
  }
}

/// An operation for MapVectors.
struct Scaled {
  VF32 factor;
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Mul(factor, x); }
};

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_
