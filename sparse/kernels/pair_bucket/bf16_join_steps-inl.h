// Joins steps of a bucket two at a time, for Bf16PairBucketStream. Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_JOIN_STEPS_INL_H_
#define TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_JOIN_STEPS_INL_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_stream.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

using namespace twofour::TWOFOUR_BF16;

/// A JoinSteps, which joins eight steps at a time.
inline void Join(const PairBucketSteps& from, int64_t steps, const Bf16Steps& to) {
  if (steps % 2 != 0) {
    std::fill_n(from.weights[steps], 4, 0.0f);
    std::copy_n(from.offsets[steps - 1], 2, from.offsets[steps]);
  }
  constexpr int64_t kSteps = 2 * kLanes / 4;
  const int64_t joined = CeilDiv(steps, 2);
  for (int64_t step = 0; step < steps; step += kSteps) {
    const float* const w = from.weights[step];
    const Pairs pairs = JoinQuads(RoundToBf16(LoadFloats(w), LoadFloats(w + kLanes)));
    uint32_t(*const target)[4] = to.weights + step / 2;
    if (const int64_t left = joined - step / 2; left >= kSteps / 2) {
      StorePairs(pairs, target);
    } else {
      alignas(64) uint32_t last[kSteps / 2][4];
      StorePairs(pairs, last);
      std::memcpy(target, last, static_cast<size_t>(left) * sizeof(*last));
    }
  }
  for (int64_t i = 0; i < joined; ++i) {
    const uint16_t(*const two)[2] = from.offsets + 2 * i;
    for (int column = 0; column < 2; ++column) {
      to.offsets[i][2 * column] = two[0][column];
      to.offsets[i][2 * column + 1] = two[1][column];
    }
  }
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_JOIN_STEPS_INL_H_
