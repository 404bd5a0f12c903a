// What both directions of a product of few rows with a masked weight share. Compiled once for each instruction set (see
// hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/kernels/gemm/float_gemm_tile-inl.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/masked_weight.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace masked_rows {

using namespace kernels::HWY_NAMESPACE::float_gemm;

/// Batch rows that are multiplied at a time.
inline constexpr int64_t kMostRows = 256;
/// Each thread keeps this memory, because asking the system for fresh pages takes longer than a small product.
template <int64_t kFloats, int kWhich>
float* Space() {
  thread_local AlignedBuffer<float> space(kFloats);
  return space.data();
}

/// Divides [0, count) into as few parts of at most `most` as possible, and calls f(begin, end) for each. `count` and
/// `most` are multiples of 4. So are the parts, which are as equal as possible.
template <typename F>
HWY_INLINE void ForEachTiledPart(int64_t count, int64_t most, const F& f) {
  ForEachPart(count / kTileSize, most / kTileSize,
              [&](int64_t begin, int64_t end) { f(begin * kTileSize, end * kTileSize); });
}

/// Applies the epilogue to one row of a block of outputs, after the product.
HWY_INLINE void Finish(const Epilogue& epilogue, int64_t first, int64_t count, float* out) {
  if (epilogue.bias != nullptr) {
    for (int64_t i = 0; i < count; ++i) out[i] += epilogue.bias[first + i];
  }
  if (!epilogue.relu_squared) return;
  for (int64_t i = 0; i < count; ++i) {
    const float positive = out[i] < 0 ? 0.0f : out[i];
    out[i] = positive * positive;
  }
}

}  // namespace masked_rows
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INL_H_
