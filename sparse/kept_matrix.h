#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// What a mask keeps of a matrix, side by side: row by row, the kept entries in the order of their columns. Rows that
/// keep fewer than others end in zeros.
class KeptMatrix {
 public:
  /// Of f32 x [mask.rows(), mask.cols()]. Throws Error on others.
  KeptMatrix(const Tensor& x, const Mask& mask);

  /// f32 [rows, most entries of a row], with at least one column.
  const Tensor& values() const { return values_; }
  /// f32 [rows, cols] with entries of `values`, of the shape of values(), where the mask keeps, and 0 elsewhere.
  Tensor Spread(const Tensor& values) const;

 private:
  int64_t cols_;
  std::vector<int64_t> begins_;   // Where the columns of each row begin, and the end.
  std::vector<int32_t> columns_;  // Of the kept entries.
  Tensor values_;
};

}  // namespace twofour::sparse
