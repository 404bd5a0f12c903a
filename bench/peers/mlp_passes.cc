#include "twofour/core/kernels/simd/simd_targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peers/mlp_passes.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace twofour::bench {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
using Lanes = hn::Vec<Tag>;

// Each function takes one row. Elements after the last whole vector go through vectors of one lane.

template <class D>
hn::Vec<D> PositivePart(D d, const float* in, const float* bias) {
  return hn::Max(hn::Add(hn::LoadU(d, in), hn::LoadU(d, bias)), hn::Zero(d));
}

template <class D>
size_t AddRows(D d, size_t j, size_t cols, const float* row, float* sums) {
  for (; j + hn::Lanes(d) <= cols; j += hn::Lanes(d)) {
    hn::StoreU(hn::Add(hn::LoadU(d, sums + j), hn::LoadU(d, row + j)), d, sums + j);
  }
  return j;
}

void AddRow(size_t cols, const float* row, float* sums) {
  const size_t rest = AddRows(Tag(), 0, cols, row, sums);
  AddRows(hn::CappedTag<float, 1>(), rest, cols, row, sums);
}

template <class D>
size_t ForwardColumns(D d, size_t j, size_t cols, const float* in, const float* bias, float* out) {
  for (; j + hn::Lanes(d) <= cols; j += hn::Lanes(d)) {
    const auto positive = PositivePart(d, in + j, bias + j);
    hn::StoreU(hn::Mul(positive, positive), d, out + j);
  }
  return j;
}

void ForwardRow(size_t cols, const float* in, const float* bias, float* out) {
  const size_t rest = ForwardColumns(Tag(), 0, cols, in, bias, out);
  ForwardColumns(hn::CappedTag<float, 1>(), rest, cols, in, bias, out);
}

template <class D>
size_t BackwardColumns(D d, size_t j, size_t cols, const float* in, const float* bias, float* grad, float* sums) {
  for (; j + hn::Lanes(d) <= cols; j += hn::Lanes(d)) {
    const auto positive = PositivePart(d, in + j, bias + j);
    const auto result = hn::Mul(hn::Add(positive, positive), hn::LoadU(d, grad + j));
    hn::StoreU(result, d, grad + j);
    hn::StoreU(hn::Add(hn::LoadU(d, sums + j), result), d, sums + j);
  }
  return j;
}

void BackwardRow(size_t cols, const float* in, const float* bias, float* grad, float* sums) {
  const size_t rest = BackwardColumns(Tag(), 0, cols, in, bias, grad, sums);
  BackwardColumns(hn::CappedTag<float, 1>(), rest, cols, in, bias, grad, sums);
}

}  // namespace HWY_NAMESPACE
}  // namespace twofour::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

#include "bench/peers/mlp_passes.h"
#include "bench/peers/mlp_rows.h"

namespace twofour::bench {
namespace {

HWY_EXPORT(AddRow);
HWY_EXPORT(ForwardRow);
HWY_EXPORT(BackwardRow);

}  // namespace

void AddBias(int64_t rows, int64_t cols, const float* bias, float* matrix) {
  const auto add_row = TWOFOUR_DYNAMIC_DISPATCH(AddRow);
  ForEachRow(rows, [=](int64_t row) { add_row(cols, bias, matrix + row * cols); });
}

void AddBiasReluSquared(int64_t rows, int64_t cols, const float* in, const float* bias, float* out) {
  const auto forward_row = TWOFOUR_DYNAMIC_DISPATCH(ForwardRow);
  ForEachRow(rows, [=](int64_t row) { forward_row(cols, in + row * cols, bias, out + row * cols); });
}

void ReluSquaredBackward(int64_t rows, int64_t cols, const float* in, const float* bias, float* grad,
                         float* bias_grad) {
  const auto backward_row = TWOFOUR_DYNAMIC_DISPATCH(BackwardRow);
  SumOverRows(rows, cols, bias_grad,
              [=](int64_t row, float* sums) { backward_row(cols, in + row * cols, bias, grad + row * cols, sums); });
}

void SumColumns(int64_t rows, int64_t cols, const float* matrix, float* sums) {
  const auto add_row = TWOFOUR_DYNAMIC_DISPATCH(AddRow);
  SumOverRows(rows, cols, sums, [=](int64_t row, float* partial) { add_row(cols, matrix + row * cols, partial); });
}

}  // namespace twofour::bench
#endif
