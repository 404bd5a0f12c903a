#include "twofour/sparse/kernels/low_bit/low_bit_terms.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace twofour::sparse {
namespace {

constexpr uint32_t kExponent = 0x7f800000, kMagnitude = 0x7fffffff;

/// The bits that a bf16 has, cut off.
float UpperHalf(float x) { return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xffff0000U); }
uint16_t UpperBits(float x) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16); }

/// Writes the terms of n floats, [kMost][ld]. Returns how many there are.
int Split(const float* x, int64_t n, int64_t ld, uint16_t* to) {
  uint32_t all = 0;
  for (int64_t i = 0; i < n; ++i) all |= std::bit_cast<uint32_t>(x[i]);
  if ((all & 0xffffU) == 0) {
    for (int64_t i = 0; i < n; ++i) to[i] = UpperBits(x[i]);
    return 1;
  }
  uint32_t below_first = 0, below_second = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(x[i]);
    const bool finite = (bits & kExponent) != kExponent;
    const float rest = finite ? x[i] - UpperHalf(x[i]) : 0.0F, last = rest - UpperHalf(rest);
    // The upper half of a NaN might be an infinity.
    const uint16_t quiet = (bits & kMagnitude) > kExponent ? 0x40 : 0;
    to[i] = static_cast<uint16_t>(UpperBits(x[i]) | quiet);
    to[ld + i] = UpperBits(rest), to[2 * ld + i] = UpperBits(last);
    below_first |= std::bit_cast<uint32_t>(rest), below_second |= std::bit_cast<uint32_t>(last);
  }
  return (below_second & kMagnitude) != 0 ? 3 : (below_first & kMagnitude) != 0 ? 2 : 1;
}

/// The pairs of 16 spans, in steps.
template <bool two_of_four>
void ArrangeTile(const uint16_t* from, uint32_t* to) {
  constexpr int64_t kGroup = two_of_four ? 4 : 2, kVectors = LowBitStepVectors(two_of_four);
  for (int64_t span = 0; span < kLowBitSpans; ++span, from += kGroup * kLowBitSteps) {
    for (int64_t step = 0; step < kLowBitSteps; ++step) {
      for (int64_t v = 0; v < kVectors; ++v) {
        std::memcpy(to + (step * kVectors + v) * kLowBitSpans + span, from + kGroup * step + v, sizeof(uint32_t));
      }
    }
  }
}

}  // namespace

LowBitTerms::LowBitTerms(const LowBitView& weight, int64_t batch, const float* x)
    : stride_(weight.tiles_of_row() * kLowBitSteps * LowBitStepVectors(weight.two_of_four) * kLowBitSpans),
      begins_{0},
      pairs_(batch * kMost * stride_) {
  const int64_t cols = weight.padded_cols(), tile_cols = kLowBitSpans * weight.span_cols();
  const int64_t tiles = weight.tiles_of_row(), ld = tiles * tile_cols;
  const auto arrange = weight.two_of_four ? ArrangeTile<true> : ArrangeTile<false>;
  std::vector<uint16_t> terms(static_cast<size_t>(kMost * ld));
  for (int64_t row = 0; row < batch; ++row) {
    const int count = Split(x + row * cols, cols, ld, terms.data());
    for (int term = 0; term < count; ++term) {
      uint32_t* const to = pairs_.data() + (begins_.back() + term) * stride_;
      for (int64_t tile = 0; tile < tiles; ++tile) {
        arrange(terms.data() + term * ld + tile * tile_cols, to + tile * (stride_ / tiles));
      }
    }
    begins_.push_back(begins_.back() + count);
  }
}

}  // namespace twofour::sparse
