#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "twofour/core/number_format.h"

#include "tests/support/narrow_float.h"

namespace twofour::test {

/// The numbers of a format of 8 or 4 bits, from its definition, for brute force in double.
class FormatNumbers {
 public:
  explicit FormatNumbers(NumberFormat::Kind kind) {
    if (kind == NumberFormat::Kind::kNvfp4) {
      magnitudes_ = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
      return;
    }
    const bool e4m3 = kind == NumberFormat::Kind::kE4M3;
    const NarrowFloat format = e4m3 ? FormatOf<Float8E4M3>() : FormatOf<Float8E5M2>();
    for (uint32_t bits = 0; bits < format.infinity(); ++bits) magnitudes_.push_back(format.Magnitude(bits));
  }

  /// Those that are not negative, in ascending order. The place of each is its code.
  const std::vector<double>& magnitudes() const { return magnitudes_; }
  double largest() const { return magnitudes_.back(); }
  bool Has(double x) const { return std::binary_search(magnitudes_.begin(), magnitudes_.end(), std::abs(x)); }

  /// The code of the last number that is not above a magnitude.
  size_t Below(double magnitude) const {
    return static_cast<size_t>(std::upper_bound(magnitudes_.begin(), magnitudes_.end(), magnitude) -
                               magnitudes_.begin() - 1);
  }
  /// How far a magnitude lies between the number below and the one above it; 0 from the largest on.
  double Fraction(double magnitude) const {
    const size_t below = Below(magnitude);
    if (below + 1 == magnitudes_.size()) return 0;
    return (magnitude - magnitudes_[below]) / (magnitudes_[below + 1] - magnitudes_[below]);
  }
  /// The nearest number and, halfway between two, the one with the even code. NaNs and infinities stay.
  double Nearest(double x) const {
    if (!std::isfinite(x)) return x;
    const double magnitude = std::min(std::abs(x), largest()), fraction = Fraction(magnitude);
    const size_t below = Below(magnitude);
    const bool up = fraction > 0.5 || (fraction == 0.5 && below % 2 == 1);
    return std::copysign(magnitudes_[below + (up ? 1 : 0)], x);
  }
  /// What stochastic rounding makes with a random number of 16 bits.
  double Stochastic(double x, uint32_t random) const {
    if (!std::isfinite(x)) return x;
    const double magnitude = std::min(std::abs(x), largest());
    const double steps_up = std::floor(Fraction(magnitude) * 65536 + 0.5);
    return std::copysign(magnitudes_[Below(magnitude) + (random >= 65536 - steps_up ? 1 : 0)], x);
  }

 private:
  std::vector<double> magnitudes_;
};

}  // namespace twofour::test
