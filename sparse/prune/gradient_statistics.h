#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// What GradientStatistics add up over samples, f64 and of the weight's shape.
struct GradientSums {
  Tensor magnitudes = {}, squares = {};
};

/// What the loss's gradients of a weight were like over many samples. Sums are f64.
class GradientStatistics {
 public:
  /// For gradients of this shape.
  explicit GradientStatistics(Shape shape);
  /// With sums over so many samples that were kept elsewhere. Those that are undefined must not be asked for.
  GradientStatistics(Shape shape, int64_t samples, GradientSums sums)
      : shape_(std::move(shape)), samples_(samples), sums_(std::move(sums)) {}

  /// Adds the f32 gradient of one sample. Throws Error on another shape, and (a runtime failure) that says `name` and
  /// the place if an element is not finite: nothing is added then.
  void Add(const Tensor& gradient, std::string_view name);

  const Shape& shape() const { return shape_; }
  int64_t samples() const { return samples_; }
  Tensor MeanMagnitudes() const;  ///< f32, the mean of |g| over the samples.
  /// f32, the Euclidean norm of each element's gradients over the samples. Throws Error (a runtime failure) that begins
  /// with `name` if one is more than a float can hold.
  Tensor Norms(std::string_view name = "weight") const;

 private:
  Shape shape_;
  int64_t samples_ = 0;
  GradientSums sums_;
};

}  // namespace twofour::sparse
