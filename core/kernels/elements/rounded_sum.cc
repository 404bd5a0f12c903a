#include "twofour/core/kernels/elements/rounded_sum.h"

#include <algorithm>

#include "twofour/core/convert_element.h"
#include "twofour/core/kernels/elements/convert_loops.h"
#include "twofour/core/kernels/elements/elementwise_loops.h"
#include "twofour/core/kernels/elements/in_ranges.h"

namespace twofour::kernels {
namespace {

/// Elements that are summed at a time. Their sums and one widened term stay in the first-level cache.
constexpr int64_t kBlock = 1024;

void Convert(int64_t n, const BFloat16* x, float* out) { loops::Convert(n, x, out); }
void Convert(int64_t n, const float* x, BFloat16* out) { loops::Convert(n, x, out); }

template <typename From, typename To>
void Convert(int64_t n, const From* x, To* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = ConvertElement<To>(x[i]);
}

void AddTo(int64_t n, const BFloat16* x, float* sums) { loops::AddTo(n, x, sums); }

void AddTo(int64_t n, const Float16* x, float* sums) {
  for (int64_t i = 0; i < n; ++i) sums[i] += static_cast<float>(x[i]);
}

}  // namespace

template <typename T>
void RoundedSum(int64_t n, std::span<const T* const> terms, T* out) {
  InRanges(n, kElementwiseGrain, [=](int64_t begin, int64_t count) {
    float sums[kBlock];
    for (int64_t at = begin; at < begin + count; at += kBlock) {
      const int64_t block = std::min(kBlock, begin + count - at);
      Convert(block, terms.front() + at, sums);
      for (const T* const term : terms.subspan(1)) AddTo(block, term + at, sums);
      Convert(block, static_cast<const float*>(sums), out + at);
    }
  });
}

template void RoundedSum<Float16>(int64_t, std::span<const Float16* const>, Float16*);
template void RoundedSum<BFloat16>(int64_t, std::span<const BFloat16* const>, BFloat16*);

}  // namespace twofour::kernels
