#pragma once

#include <string>
#include <vector>

namespace twofour::train {

/// Where numbers lie along one side of a chart, and which of them are written beside it.
class Axis {
 public:
  struct Tick {
    double value = 0;
    std::string label;
  };

  /// From `low` to `high` exactly, which may be equal; ticks at round numbers at least `least_step` apart.
  static Axis Linear(double low, double high, int max_ticks, double least_step = 0);
  /// The same with a little room at both ends, below 0 only where numbers are.
  static Axis Roomy(double low, double high, int max_ticks);
  /// For positive numbers, with a little room. `has_zero` sets a strip at the bottom apart for 0, which has no
  /// logarithm.
  static Axis Logarithmic(double low, double high, int max_ticks, bool has_zero);

  /// 0 at the low end, 1 at the high end; what lies beyond an end lies on it.
  double Place(double value) const;
  const std::vector<Tick>& ticks() const { return ticks_; }
  bool logarithmic() const { return logarithmic_; }
  bool has_zero() const { return strip_ > 0; }
  /// The part of the axis that is set apart for 0.
  double strip() const { return strip_; }

 private:
  double low_ = 0, high_ = 1;  // Logarithms where logarithmic.
  bool logarithmic_ = false;
  double strip_ = 0;
  std::vector<Tick> ticks_;
};

}  // namespace twofour::train
