// Loops over arrays of f32, one vector at a time, for files that are compiled once for each instruction set. Every
// -inl.h file has a guard like this one: Highway switches HWY_TARGET_TOGGLE from one instruction set to the next, so
// each set gets a copy of its own, once.
#if defined(TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_
#undef TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VF32 = hn::Vec<F32>;
inline constexpr int64_t kF32Lanes = static_cast<int64_t>(hn::MaxLanes(F32()));

/// The first `count` < kF32Lanes elements at `x`, followed by `padding`.
HWY_INLINE VF32 LoadTail(const float* x, int64_t count, float padding = 0.0f) {
  HWY_ALIGN float lanes[kF32Lanes];
  std::fill_n(lanes, kF32Lanes, padding);
  std::copy_n(x, count, lanes);
  return hn::Load(F32(), lanes);
}

HWY_INLINE void StoreTail(VF32 v, int64_t count, float* out) {
  HWY_ALIGN float lanes[kF32Lanes];
  hn::Store(v, F32(), lanes);
  std::copy_n(lanes, count, out);
}

/// out[i] = op(in[i]...) for i in [0, n), where op takes and returns vectors. `out` may be one of the inputs.
template <class Op, class... In>
HWY_INLINE void MapVectors(int64_t n, float* out, Op op, const In*... in) {
  int64_t i = 0;
  for (; i + kF32Lanes <= n; i += kF32Lanes) hn::StoreU(op(hn::LoadU(F32(), in + i)...), F32(), out + i);
  if (i < n) StoreTail(op(LoadTail(in + i, n - i)...), n - i, out + i);
}

/// An operation for MapVectors.
struct Scaled {
  VF32 factor;
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Mul(factor, x); }
};

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_SIMD_VECTOR_LOOP_INL_H_
