#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "twofour/core/half.h"

namespace twofour::test {

/// The definition of a floating format, computed in double, which holds all its numbers.
struct NarrowFloat {
  int exponent_bits, mantissa_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  /// The exponent of the distance between the smallest numbers.
  int least() const { return 1 - bias() - mantissa_bits; }
  /// The magnitude of the pattern `bits`, which has no sign. An infinity gives the number that would come next, and a
  /// NaN gives NaN.
  double Magnitude(uint32_t bits) const {
    const int exponent = static_cast<int>(bits >> mantissa_bits),
              mantissa = static_cast<int>(bits) % (1 << mantissa_bits);
    if (exponent == (1 << exponent_bits) - 1 && mantissa != 0) return std::numeric_limits<double>::quiet_NaN();
    if (exponent == 0) return std::ldexp(mantissa, least());
    return std::ldexp(mantissa + (1 << mantissa_bits), least() + exponent - 1);
  }
  uint32_t infinity() const { return ((1U << exponent_bits) - 1) << mantissa_bits; }
  /// x rounded to the nearest number of this format, and halfway between two to the even one.
  double Nearest(double x) const {
    if (x == 0 || !std::isfinite(x)) return x;
    int exponent = 0;
    std::frexp(x, &exponent);  // 2^(exponent - 1) <= |x| < 2^exponent
    const int unit = std::max(exponent - mantissa_bits - 1, least());
    const double rounded = std::ldexp(std::nearbyint(std::ldexp(x, -unit)), unit);
    const double infinity = std::numeric_limits<double>::infinity();
    return std::abs(rounded) >= Magnitude(this->infinity()) ? std::copysign(infinity, x) : rounded;
  }
};

template <typename T>
constexpr NarrowFloat FormatOf();
template <>
constexpr NarrowFloat FormatOf<Float16>() {
  return {5, 10};
}
template <>
constexpr NarrowFloat FormatOf<BFloat16>() {
  return {8, 7};
}

}  // namespace twofour::test
