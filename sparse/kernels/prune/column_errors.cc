// What pruning does to the columns of a part of a weight (prune/sparsegpt.cc). Compiled once for each instruction set.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <cstdint>

#include "twofour/sparse/kernels/prune/column_errors.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/prune/column_errors.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
constexpr D d;
constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
static_assert(kLanes <= kColumnRoom);

void Drop(int64_t rows, float factor, const uint8_t* HWY_RESTRICT kept, float* HWY_RESTRICT w,
          float* HWY_RESTRICT lost) {
  const hn::Rebind<uint8_t, D> d8;
  const hn::Rebind<int32_t, D> d32;
  const auto by = hn::Set(d, factor);
  for (int64_t row = 0; row < rows; row += kLanes) {
    const auto entries = hn::PromoteTo(d32, hn::LoadU(d8, kept + row));
    const auto drops = hn::RebindMask(d, hn::Eq(entries, hn::Zero(d32)));
    const auto x = hn::LoadU(d, w + row);
    hn::StoreU(hn::IfThenElseZero(drops, hn::Mul(x, by)), d, lost + row);
    hn::StoreU(hn::IfThenZeroElse(drops, x), d, w + row);
  }
}

template <int kCount>
void AddCount(int64_t rows, const float* HWY_RESTRICT factors, const float* HWY_RESTRICT lost, int64_t pitch,
              float* HWY_RESTRICT w) {
  hn::Vec<D> by[kCount];
  TWOFOUR_UNROLL for (int i = 0; i < kCount; ++i) by[i] = hn::Set(d, factors[i]);
  for (int64_t row = 0; row < rows; row += kLanes) {
    auto sum = hn::LoadU(d, w + row);
    // Products are rounded before they are added, so that all instruction sets give the same bits.
    TWOFOUR_UNROLL for (int i = 0; i < kCount; ++i) {
      sum = hn::Add(sum, hn::Mul(by[i], hn::LoadU(d, lost + i * pitch + row)));
    }
    hn::StoreU(sum, d, w + row);
  }
}

void Add(int64_t rows, int count, const float* factors, const float* lost, int64_t pitch, float* w) {
  switch (count) {
    case 1:
      return AddCount<1>(rows, factors, lost, pitch, w);
    case 2:
      return AddCount<2>(rows, factors, lost, pitch, w);
    case 3:
      return AddCount<3>(rows, factors, lost, pitch, w);
    default:
      return AddCount<4>(rows, factors, lost, pitch, w);
  }
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {
namespace {
HWY_EXPORT(Drop);
HWY_EXPORT(Add);
}  // namespace

void DropOfColumn(int64_t rows, float factor, const uint8_t* kept, float* w, float* lost) {
  TWOFOUR_DYNAMIC_DISPATCH(Drop)(rows, factor, kept, w, lost);
}

void AddErrors(int64_t rows, int count, const float* factors, const float* lost, int64_t pitch, float* w) {
  TWOFOUR_DYNAMIC_DISPATCH(Add)(rows, count, factors, lost, pitch, w);
}

}  // namespace twofour::sparse
#endif
