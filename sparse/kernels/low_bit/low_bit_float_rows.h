#pragma once

#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/sparse/kernels/low_bit/low_bit_layout.h"

namespace twofour::sparse {

/// Rows of floats in the order in which products with a LowBitView by floats read them: as LowBitTerms has pairs.
class LowBitFloatRows {
 public:
  /// x [batch, padded columns of the weight].
  LowBitFloatRows(const LowBitView& weight, int64_t batch, const float* x);

  /// [tiles of a row, 8 steps, vectors of a step, 16 spans, 2], with zeros beyond the columns.
  const float* row(int64_t row) const { return floats_.data() + row * stride_; }
  int64_t stride() const { return stride_; }

 private:
  int64_t stride_;
  AlignedBuffer<float> floats_;
};

}  // namespace twofour::sparse
