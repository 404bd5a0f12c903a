#include "twofour/core/kernels/simd/simd_targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peers/mlp_passes_bf16.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/load_store-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::bench {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using kernels::HWY_NAMESPACE::LoadAsF32;
using kernels::HWY_NAMESPACE::StoreFromF32;

using Tag = hn::ScalableTag<float>;
using Lane = hn::CappedTag<float, 1>;

/// Rounds and stores by integer operations.
struct StorePortably {
  template <class D>
  HWY_INLINE void operator()(D d, hn::Vec<D> v, BFloat16* to) const {
    StoreFromF32(d, v, to);
  }
};

#if HWY_TARGET == HWY_AVX3
/// Rounds by the instruction of AVX512_BF16, which Highway 1.0.3 does not know.
struct StoreByInstruction {
  template <class D>
  HWY_INLINE void operator()(D d, hn::Vec<D> v, BFloat16* to) const {
    StoreFromF32(d, v, to);
  }
  HWY_INLINE void operator()(Tag /*d*/, hn::Vec<Tag> v, BFloat16* to) const {
    __m256i rounded;
    asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(v.raw));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded);
  }
};
#else
using StoreByInstruction = StorePortably;
#endif

// Each function takes one row. Elements after the last whole vector go through vectors of one lane.

template <class D, class Store>
size_t RoundColumns(D d, Store store, size_t j, size_t cols, const float* from, BFloat16* to) {
  for (; j + hn::Lanes(d) <= cols; j += hn::Lanes(d)) store(d, hn::LoadU(d, from + j), to + j);
  return j;
}

template <class Store>
void RoundRowBy(size_t cols, const float* from, BFloat16* to) {
  const size_t rest = RoundColumns(Tag(), Store(), 0, cols, from, to);
  RoundColumns(Lane(), Store(), rest, cols, from, to);
}

template <class D, class Store>
size_t BackwardColumns(D d, Store store, size_t j, size_t cols, const BFloat16* activation, BFloat16* grad,
                       float* sums) {
  for (; j + hn::Lanes(d) <= cols; j += hn::Lanes(d)) {
    const auto root = hn::Sqrt(LoadAsF32(d, activation + j));
    const auto result = hn::Mul(hn::Add(root, root), LoadAsF32(d, grad + j));
    store(d, result, grad + j);
    hn::StoreU(hn::Add(hn::LoadU(d, sums + j), result), d, sums + j);
  }
  return j;
}

template <class Store>
void BackwardRowBy(size_t cols, const BFloat16* activation, BFloat16* grad, float* sums) {
  const size_t rest = BackwardColumns(Tag(), Store(), 0, cols, activation, grad, sums);
  BackwardColumns(Lane(), Store(), rest, cols, activation, grad, sums);
}

template <class D>
size_t AddColumns(D d, size_t j, size_t cols, const BFloat16* row, float* sums) {
  for (; j + hn::Lanes(d) <= cols; j += hn::Lanes(d)) {
    hn::StoreU(hn::Add(hn::LoadU(d, sums + j), LoadAsF32(d, row + j)), d, sums + j);
  }
  return j;
}

void RoundRow(size_t cols, const float* from, BFloat16* to, bool by_instruction) {
  by_instruction ? RoundRowBy<StoreByInstruction>(cols, from, to) : RoundRowBy<StorePortably>(cols, from, to);
}

void BackwardRow(size_t cols, const BFloat16* activation, BFloat16* grad, float* sums, bool by_instruction) {
  by_instruction ? BackwardRowBy<StoreByInstruction>(cols, activation, grad, sums)
                 : BackwardRowBy<StorePortably>(cols, activation, grad, sums);
}

void AddRow(size_t cols, const BFloat16* row, float* sums) {
  const size_t rest = AddColumns(Tag(), 0, cols, row, sums);
  AddColumns(Lane(), rest, cols, row, sums);
}

}  // namespace HWY_NAMESPACE
}  // namespace twofour::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "twofour/core/isa.h"
#include "twofour/core/kernels/simd/simd_table.h"

#include "bench/peers/mlp_passes.h"
#include "bench/peers/mlp_rows.h"

namespace twofour::bench {
namespace {

HWY_EXPORT(RoundRow);
HWY_EXPORT(BackwardRow);
HWY_EXPORT(AddRow);

}  // namespace

void RoundToBf16(int64_t count, const float* from, BFloat16* to) {
  constexpr int64_t kPart = 4096;
  const auto round_row = TWOFOUR_DYNAMIC_DISPATCH(RoundRow);
  const bool by_instruction = IsAllowed(Isa::kAvx512Bf16);
  ForEachRow((count + kPart - 1) / kPart, [=](int64_t part) {
    const int64_t begin = part * kPart, end = std::min(count, begin + kPart);
    round_row(static_cast<size_t>(end - begin), from + begin, to + begin, by_instruction);
  });
}

void ReluSquaredBackward(int64_t rows, int64_t cols, const BFloat16* activation, BFloat16* grad, float* bias_grad) {
  const auto backward_row = TWOFOUR_DYNAMIC_DISPATCH(BackwardRow);
  const bool by_instruction = IsAllowed(Isa::kAvx512Bf16);
  SumOverRows(rows, cols, bias_grad, [=](int64_t row, float* sums) {
    backward_row(cols, activation + row * cols, grad + row * cols, sums, by_instruction);
  });
}

void SumColumns(int64_t rows, int64_t cols, const BFloat16* matrix, float* sums) {
  const auto add_row = TWOFOUR_DYNAMIC_DISPATCH(AddRow);
  SumOverRows(rows, cols, sums, [=](int64_t row, float* partial) { add_row(cols, matrix + row * cols, partial); });
}

}  // namespace twofour::bench
#endif
