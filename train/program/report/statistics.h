#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace twofour::train {

/// Statistics of a few numbers, one for each seed.
struct Sample {
  size_t count = 0;
  double mean = 0;                       ///< 0 if there are no numbers.
  std::optional<double> deviation = {};  ///< Divided by count - 1. A single number has none.
};

Sample Summarise(std::span<const double> values);

/// I_x(a, b), the regularised incomplete beta function, of x in [0, 1] and positive a and b.
double IncompleteBeta(double x, double a, double b);

/// The t below which Student's distribution with `degrees` degrees of freedom (above 0, whole or not) has
/// `probability`, in (0, 1).
double StudentQuantile(double probability, double degrees);

/// Mean minus baseline's mean, with a two-sided confidence interval.
struct Difference {
  struct Interval {
    double low = 0, high = 0;
    double degrees = 0;  ///< Degrees of freedom.
  };
  double value = 0;
  /// None if a sample has no deviation, or if both deviations are 0: seeds then say nothing about noise.
  std::optional<Interval> interval = {};
};

/// Uses Welch's t-test: the samples are independent and may have different deviations. Both must hold at least one
/// number. `level` is the confidence level.
Difference WelchDifference(const Sample& sample, const Sample& baseline, double level = 0.95);

}  // namespace twofour::train
