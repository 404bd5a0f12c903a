#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// What the loss's gradients of a weight were like over many samples. Sums are f64.
class GradientStatistics {
 public:
  /// For gradients of this shape.
  explicit GradientStatistics(Shape shape);

  /// Adds the f32 gradient of one sample. Throws Error on another shape, and (a runtime failure) that says `name` and
  /// the place if an element is not finite: nothing is added then.
  void Add(const Tensor& gradient, std::string_view name);

  const Shape& shape() const { return magnitudes_.shape(); }
  int64_t samples() const { return samples_; }
  Tensor MeanMagnitudes() const;  ///< f32, the mean of |g| over the samples.
  /// f32, the Euclidean norm of each element's gradients over the samples. Throws Error (a runtime failure) that begins
  /// with `name` if one is more than a float can hold.
  Tensor Norms(std::string_view name = "weight") const;

 private:
  int64_t samples_ = 0;
  Tensor magnitudes_, squares_;  // f64.
};

}  // namespace twofour::sparse
