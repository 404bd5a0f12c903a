#pragma once

#include <string>
#include <vector>

namespace twofour::train {

/// One axis of a chart: where numbers lie on it, and which of them are written beside it.
class Axis {
 public:
  struct Tick {
    double value = 0;
    std::string label;
  };

  /// Runs exactly from `low` to `high`, which may be equal. Ticks are round numbers, at least `least_step` apart.
  static Axis Linear(double low, double high, int max_ticks, double least_step = 0);
  /// The same with a little room at both ends. Goes below 0 only if `low` does.
  static Axis Roomy(double low, double high, int max_ticks);
  /// For positive numbers, with a little room. `has_zero` reserves a strip at the bottom for 0, which has no logarithm.
  static Axis Logarithmic(double low, double high, int max_ticks, bool has_zero);

  /// 0 at the low end, 1 at the high end. A value beyond an end is placed at that end.
  double Place(double value) const;
  const std::vector<Tick>& ticks() const { return ticks_; }
  bool logarithmic() const { return logarithmic_; }
  bool has_zero() const { return strip_ > 0; }
  /// The share of the axis that is reserved for 0.
  double strip() const { return strip_; }

 private:
  double low_ = 0, high_ = 1;  // Logarithms if the axis is logarithmic.
  bool logarithmic_ = false;
  double strip_ = 0;
  std::vector<Tick> ticks_;
};

}  // namespace twofour::train
