#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <cstdint>

#include "twofour/core/parallel.h"

#include "bench/support/dense_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/support/dense_rows.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/load_store-inl.h"
#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
void DotRows(int64_t begin, int64_t end, int64_t cols, const T* weight, const float* x, float* y) {
  const hn::CappedTag<float, 8> d;
  constexpr int kSums = 4;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = begin; row < end; ++row) {
    const T* const w = weight + row * cols;
    hn::Vec<decltype(d)> sum[kSums];
    TWOFOUR_UNROLL for (int i = 0; i < kSums; ++i) sum[i] = hn::Zero(d);
    for (int64_t col = 0; col < cols; col += kSums * lanes) {
      TWOFOUR_UNROLL for (int i = 0; i < kSums; ++i) {
        const int64_t at = col + i * lanes;
        sum[i] = hn::MulAdd(kernels::HWY_NAMESPACE::LoadAsF32(d, w + at), hn::LoadU(d, x + at), sum[i]);
      }
    }
    y[row] = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]))));
  }
}

TWOFOUR_NAME_INSTANCES(DotRows);

}  // namespace twofour::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::bench {
namespace {

constexpr int64_t kGrain = 16;

TWOFOUR_EXPORT_INSTANCES(DotRows);

}  // namespace

void MultiplyDenseRows(int64_t rows, int64_t cols, const float* weight, const float* x, float* y) {
  ParallelFor(rows, kGrain, [&](int64_t begin, int64_t end) {
    TWOFOUR_DISPATCH_INSTANCE(DotRows, float)(begin, end, cols, weight, x, y);
  });
}

void MultiplyDenseRows(int64_t rows, int64_t cols, const BFloat16* weight, const float* x, float* y) {
  ParallelFor(rows, kGrain, [&](int64_t begin, int64_t end) {
    TWOFOUR_DISPATCH_INSTANCE(DotRows, BFloat16)(begin, end, cols, weight, x, y);
  });
}

}  // namespace twofour::bench
#endif  // HWY_ONCE
