#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/elements/convert_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/elements/convert_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

struct Same {
  HWY_INLINE VF32 operator()(VF32 x) const { return x; }
};

struct Quiet {
  HWY_INLINE VF32 operator()(VF32 x) const {
    const hn::RebindToUnsigned<F32> bits;
    const VF32 quiet = hn::BitCast(F32(), hn::Or(hn::BitCast(bits, x), hn::Set(bits, 0x00400000u)));
    return hn::IfThenElse(hn::Eq(x, x), x, quiet);
  }
};

void NarrowLoop(int64_t n, const float* x, BFloat16* out) { RoundVectors(n, x, out); }

void NarrowRowsLoop(int64_t rows, int64_t cols, const float* x, int64_t x_stride, BFloat16* out, int64_t out_stride) {
  for (int64_t row = 0; row < rows; ++row) RoundVectors(cols, x + row * x_stride, out + row * out_stride);
}

void WidenLoop(int64_t n, const BFloat16* x, float* out) { MapVectors(n, out, Quiet(), x); }

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(NarrowLoop);
HWY_EXPORT(NarrowRowsLoop);
HWY_EXPORT(WidenLoop);

namespace loops {

void Convert(int64_t n, const float* x, BFloat16* out) { TWOFOUR_DYNAMIC_DISPATCH(NarrowLoop)(n, x, out); }

void Convert(int64_t n, const BFloat16* x, float* out) { TWOFOUR_DYNAMIC_DISPATCH(WidenLoop)(n, x, out); }

void ConvertRows(int64_t rows, int64_t cols, const float* x, int64_t x_stride, BFloat16* out, int64_t out_stride) {
  TWOFOUR_DYNAMIC_DISPATCH(NarrowRowsLoop)(rows, cols, x, x_stride, out, out_stride);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
