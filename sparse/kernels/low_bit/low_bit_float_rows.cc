#include "twofour/sparse/kernels/low_bit/low_bit_float_rows.h"

#include <algorithm>

#include "twofour/sparse/kernels/low_bit/low_bit_terms.h"

namespace twofour::sparse {
namespace {

/// The floats of up to 16 spans, in steps.
void ArrangeTile(const float* from, int64_t spans, bool two_of_four, float* to) {
  const int64_t vectors = LowBitStepVectors(two_of_four), group = two_of_four ? 4 : 2;
  for (int64_t step = 0; step < kLowBitSteps; ++step) {
    for (int64_t v = 0; v < vectors; ++v, to += 2 * kLowBitSpans) {
      const float* at = from + group * step + v;
      for (int64_t span = 0; span < spans; ++span, at += group * kLowBitSteps) {
        to[2 * span] = at[0], to[2 * span + 1] = at[1];
      }
      std::fill(to + 2 * spans, to + 2 * kLowBitSpans, 0.0F);
    }
  }
}

}  // namespace

LowBitFloatRows::LowBitFloatRows(const LowBitView& weight, int64_t batch, const float* x)
    : stride_(weight.tiles_of_row() * kLowBitSteps * LowBitStepVectors(weight.two_of_four) * 2 * kLowBitSpans),
      floats_(batch * stride_) {
  for (int64_t row = 0; row < batch; ++row) {
    float* to = floats_.data() + row * stride_;
    for (int64_t tile = 0; tile < weight.tiles_of_row(); ++tile, to += stride_ / weight.tiles_of_row()) {
      ArrangeTile(x + row * weight.padded_cols() + tile * kLowBitSpans * weight.span_cols(), weight.tile(tile).spans(),
                  weight.two_of_four, to);
    }
  }
}

}  // namespace twofour::sparse
