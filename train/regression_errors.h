#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::train {

/// How far predictions are from targets, for each target.
class RegressionErrors {
 public:
  /// `scales` [targets]: the unit in which a target is measured, as a multiple of that of the tensors. Throws Error
  /// unless there is a target.
  explicit RegressionErrors(std::vector<double> scales);

  /// Adds the samples of a batch: f32 predictions and targets, both [batch, targets]. Throws Error on other types and
  /// shapes.
  void Add(const Tensor& predictions, const Tensor& targets);

  int64_t targets() const { return static_cast<int64_t>(scales_.size()); }
  int64_t total() const { return total_; }
  /// The sum of a target's squared errors, in units of the tensors.
  double SquaresOf(int64_t target) const { return sums_[static_cast<size_t>(target)].squares; }
  /// The root of the mean squared error of a target, and its mean absolute error, in the target's own units.
  double Rmse(int64_t target) const;
  double Mae(int64_t target) const;
  /// The share of the target's variance that is explained: 1 - squared error / squared distance from the mean of these
  /// targets. Nothing if the target is the same in all samples.
  std::optional<double> R2(int64_t target) const;
  /// The mean of R2 over the targets that have one (scikit-learn's "uniform_average").
  std::optional<double> MeanR2() const;

 private:
  /// Sums over the samples of one target.
  struct Sums {
    double squares = 0, magnitudes = 0;  // Of errors.
    double mean = 0, variation = 0;      // Of targets, by Welford's method; variation: squared distances from the mean.
  };

  std::vector<double> scales_;  // [targets]
  std::vector<Sums> sums_;      // [targets]
  int64_t total_ = 0;
};

}  // namespace twofour::train
