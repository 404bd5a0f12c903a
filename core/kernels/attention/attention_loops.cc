#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <cmath>
#include <limits>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/attention/attention_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/attention/attention_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"
#include "twofour/core/kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

namespace {

static_assert(loops::kScoreAlignment % kF32Lanes == 0);

constexpr float kNothing = -std::numeric_limits<float>::infinity();

/// The columns that one row sees, begin < end.
struct Seen {
  int64_t begin, end;

  int64_t FirstVector() const { return begin / kF32Lanes * kF32Lanes; }
  int64_t BehindLastVector() const { return RoundUp(end, kF32Lanes); }
  bool CutsVectors() const { return begin % kF32Lanes != 0 || end % kF32Lanes != 0; }

  /// v, with `other` in the lanes whose columns are not seen. Lane 0 is column i.
  HWY_INLINE VF32 Select(int64_t i, VF32 v, VF32 other) const {
    const hn::RebindToSigned<F32> d;
    // Iota(d, i) would go through memory, element by element.
    const auto column = hn::Add(hn::Iota(d, 0), hn::Set(d, static_cast<int32_t>(i)));
    const auto seen = hn::AndNot(hn::Lt(column, hn::Set(d, static_cast<int32_t>(begin))),
                                 hn::Lt(column, hn::Set(d, static_cast<int32_t>(end))));
    return hn::IfThenElse(hn::RebindMask(F32(), seen), v, other);
  }

  void ClearTheRest(int64_t cols, float* row) const {
    std::fill(row, row + FirstVector(), 0.0f);
    if (BehindLastVector() < cols) std::fill(row + BehindLastVector(), row + cols, 0.0f);
  }
};

template <bool kCutsVectors>
float HighestScore(Seen seen, VF32 scale, float highest_so_far, const float* row) {
  VF32 highest = hn::Set(F32(), highest_so_far);
  for (int64_t i = seen.FirstVector(); i < seen.end; i += kF32Lanes) {
    VF32 score = hn::Mul(hn::LoadU(F32(), row + i), scale);
    if constexpr (kCutsVectors) score = seen.Select(i, score, hn::Set(F32(), kNothing));
    highest = hn::Max(highest, score);
  }
  return hn::GetLane(hn::MaxOfLanes(F32(), highest));
}

/// Replaces the scores by exponentials and returns their sum.
template <bool kCutsVectors>
float Exponentials(Seen seen, VF32 scale, float shift, float* row) {
  const ShiftedExp exponential{hn::Set(F32(), shift)};
  VF32 sum = hn::Zero(F32());
  for (int64_t i = seen.FirstVector(); i < seen.end; i += kF32Lanes) {
    VF32 weight = exponential(hn::Mul(hn::LoadU(F32(), row + i), scale));
    if constexpr (kCutsVectors) weight = seen.Select(i, weight, hn::Zero(F32()));
    sum = hn::Add(sum, weight);
    hn::StoreU(weight, F32(), row + i);
  }
  return hn::GetLane(hn::SumOfLanes(F32(), sum));
}

}  // namespace

void OnlineSoftmaxLoop(const loops::ScoreBlock& block, float scale, float* scores, float* highest, float* sum,
                       int64_t width, float* result) {
  const VF32 scales = hn::Set(F32(), scale);
  // A few rows take each step together: the processor works on the next row while one waits for its sum.
  constexpr int64_t kRows = 8;
  for (int64_t first = 0; first < block.rows; first += kRows) {
    const int64_t rows = std::min(kRows, block.rows - first);
    float top[kRows], shift[kRows], added[kRows];
    for (int64_t i = 0; i < rows; ++i) {
      const Seen seen{block.Begin(first + i), block.End(first + i)};
      const float* const row = scores + (first + i) * block.stride;
      top[i] = highest[first + i];
      if (seen.begin == seen.end) continue;
      top[i] = seen.CutsVectors() ? HighestScore<true>(seen, scales, top[i], row)
                                  : HighestScore<false>(seen, scales, top[i], row);
    }
    for (int64_t i = 0; i < rows; ++i) {
      const Seen seen{block.Begin(first + i), block.End(first + i)};
      float* const row = scores + (first + i) * block.stride;
      shift[i] = top[i] == kNothing ? 0.0f : top[i];  // -inf - -inf would be NaN where weights are 0.
      if (seen.begin == seen.end) {
        std::fill_n(row, block.cols, 0.0f);
        continue;
      }
      added[i] = seen.CutsVectors() ? Exponentials<true>(seen, scales, shift[i], row)
                                    : Exponentials<false>(seen, scales, shift[i], row);
      seen.ClearTheRest(block.cols, row);
    }
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t r = first + i;
      if (block.Begin(r) == block.End(r)) continue;
      if (highest[r] != shift[i]) {
        const float shrink = std::exp(highest[r] - shift[i]);
        sum[r] *= shrink;
        MapVectors(width, result + r * width, Scaled{hn::Set(F32(), shrink)}, result + r * width);
      }
      sum[r] += added[i];
      highest[r] = top[i];
    }
  }
}

namespace {

template <bool kCutsVectors>
void ProbabilitiesAndGrads(Seen seen, VF32 scale, float log_sum, float mean_grad, float* scores, float* grads) {
  const ShiftedExp exponential{hn::Set(F32(), log_sum)};
  const VF32 mean = hn::Set(F32(), mean_grad), zero = hn::Zero(F32());
  for (int64_t i = seen.FirstVector(); i < seen.end; i += kF32Lanes) {
    VF32 p = exponential(hn::Mul(hn::LoadU(F32(), scores + i), scale));
    if constexpr (kCutsVectors) p = seen.Select(i, p, zero);
    hn::StoreU(p, F32(), scores + i);
    if (grads == nullptr) continue;
    VF32 grad = hn::Mul(hn::Mul(p, scale), hn::Sub(hn::LoadU(F32(), grads + i), mean));
    if constexpr (kCutsVectors) grad = seen.Select(i, grad, zero);
    hn::StoreU(grad, F32(), grads + i);
  }
}

}  // namespace

void SoftmaxFromLogSumLoop(const loops::ScoreBlock& block, float scale, const float* log_sum, const float* mean_grad,
                           float* scores, float* grads) {
  const VF32 scales = hn::Set(F32(), scale);
  for (int64_t r = 0; r < block.rows; ++r) {
    float* const row = scores + r * block.stride;
    float* const grad_row = grads == nullptr ? nullptr : grads + r * block.stride;
    const float mean = grads == nullptr ? 0.0f : mean_grad[r];
    const Seen seen{block.Begin(r), block.End(r)};
    if (seen.begin == seen.end) {
      std::fill_n(row, block.cols, 0.0f);
      if (grads != nullptr) std::fill_n(grad_row, block.cols, 0.0f);
      continue;
    }
    if (seen.CutsVectors()) {
      ProbabilitiesAndGrads<true>(seen, scales, log_sum[r], mean, row, grad_row);
    } else {
      ProbabilitiesAndGrads<false>(seen, scales, log_sum[r], mean, row, grad_row);
    }
    seen.ClearTheRest(block.cols, row);
    if (grads != nullptr) seen.ClearTheRest(block.cols, grad_row);
  }
}

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(OnlineSoftmaxLoop);
HWY_EXPORT(SoftmaxFromLogSumLoop);

namespace loops {

void OnlineSoftmax(const ScoreBlock& block, float scale, float* scores, float* highest, float* sum, int64_t width,
                   float* result) {
  TWOFOUR_DYNAMIC_DISPATCH(OnlineSoftmaxLoop)(block, scale, scores, highest, sum, width, result);
}

void SoftmaxFromLogSum(const ScoreBlock& block, float scale, const float* log_sum, const float* mean_grad,
                       float* scores, float* grads) {
  TWOFOUR_DYNAMIC_DISPATCH(SoftmaxFromLogSumLoop)(block, scale, log_sum, mean_grad, scores, grads);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
