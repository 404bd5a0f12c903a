#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/sparse/kernels/low_bit/low_bit_layout.h"

namespace twofour::sparse {

/// Rows of floats as sums of rows of bf16, in the order in which products with a LowBitView by pairs of bf16 read them.
///
/// A float is cut into at most three bf16 of 8 significant bits each, without loss (denormal floats lose bits). A row
/// has as many terms as its floats need: one if all are bf16, two if they are f16. Infinities and NaNs are the first
/// term alone.
class LowBitTerms {
 public:
  static constexpr int kMost = 3;  ///< Terms of a row.

  /// x [batch, padded columns of the weight].
  LowBitTerms(const LowBitView& weight, int64_t batch, const float* x);

  /// Of all rows, one after another.
  int64_t count() const { return begins_.back(); }
  /// Where the terms of a row begin; there is one more than there are rows.
  int64_t begin(int64_t row) const { return begins_[static_cast<size_t>(row)]; }
  /// Elements of `pairs` of one term.
  int64_t stride() const { return stride_; }
  /// A pair is two bf16, the first in the lower half. [count(), tiles of a row, 8 steps, vectors of a step, 16 spans],
  /// with zeros beyond the columns. A step of a dense weight has one vector, with the two columns that its pairs are
  /// multiplied with. A step of a 2:4 weight has three: of each group the columns (0, 1), (1, 2) and (2, 3).
  const uint32_t* pairs() const { return pairs_.data(); }

 private:
  int64_t stride_;
  std::vector<int64_t> begins_;
  AlignedBuffer<uint32_t> pairs_;
};

/// Vectors of a step of LowBitTerms.
constexpr int64_t LowBitStepVectors(bool two_of_four) { return two_of_four ? 3 : 1; }

}  // namespace twofour::sparse
