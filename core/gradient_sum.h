#pragma once

#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/tensor.h"

namespace twofour {

/// sum += addend, reusing memory that nobody else holds. Both are gradients of a tensor of `dtype`, and `sum` may be
/// undefined. A gradient that comes alone stays as it is; two are added in `dtype`, and those of a tensor of 16 bits in
/// f32.
void AccumulateGradient(DType dtype, Tensor& sum, Tensor addend);

/// The gradients of one op's output, which arrive one by one while a graph is walked backwards.
///
/// Those of 16 bits are added up in f32 and rounded once. A sum in f32 would take as much memory as two of them. So
/// they wait until all have come, and are then added block by block. Only if there are many of them does a sum in f32
/// take their place.
class GradientSum {
 public:
  explicit GradientSum(DType dtype) : dtype_(dtype) {}

  void Add(Tensor gradient);
  /// The sum in the dtype of the output; undefined if no gradient came. Leaves nothing behind.
  Tensor Take();

 private:
  DType dtype_;
  std::vector<Tensor> terms_;  ///< One at most, unless they are of 16 bits.
};

}  // namespace twofour
