#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "twofour/core/float8.h"
#include "twofour/core/half.h"

namespace twofour::test {

/// The definition of a floating format, computed in double, which holds all its numbers.
struct NarrowFloat {
  int exponent_bits, mantissa_bits;
  /// Whether the largest exponent stands for infinity and NaN. Otherwise only its last pattern stands for NaN.
  bool has_infinity = true;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  /// The exponent of the distance between the smallest numbers.
  int least() const { return 1 - bias() - mantissa_bits; }
  /// The magnitude of the pattern `bits`, which has no sign. The first pattern that is no number gives the number that
  /// would come next, and all after it give NaN.
  double Magnitude(uint32_t bits) const {
    if (bits > infinity()) return std::numeric_limits<double>::quiet_NaN();
    const int exponent = static_cast<int>(bits >> mantissa_bits),
              mantissa = static_cast<int>(bits) % (1 << mantissa_bits);
    if (exponent == 0) return std::ldexp(mantissa, least());
    return std::ldexp(mantissa + (1 << mantissa_bits), least() + exponent - 1);
  }
  /// The first pattern that is no number: infinity, or where the format has none, NaN.
  uint32_t infinity() const {
    return has_infinity ? ((1U << exponent_bits) - 1) << mantissa_bits : (1U << (exponent_bits + mantissa_bits)) - 1;
  }
  /// What stands for numbers that are too large.
  double TooLarge() const {
    return has_infinity ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  /// The value of a pattern with its sign.
  double Value(uint32_t bits) const {
    const uint32_t sign = 1U << (exponent_bits + mantissa_bits), magnitude = bits % sign;
    const double value = magnitude == infinity() ? TooLarge() : Magnitude(magnitude);
    return bits < sign ? value : -value;
  }
  /// x rounded to the nearest number of this format, and halfway between two to the even one.
  double Nearest(double x) const {
    if (x == 0 || std::isnan(x)) return x;
    if (std::isinf(x)) return std::copysign(TooLarge(), x);
    int exponent = 0;
    std::frexp(x, &exponent);  // 2^(exponent - 1) <= |x| < 2^exponent
    const int unit = std::max(exponent - mantissa_bits - 1, least());
    const double rounded = std::ldexp(std::nearbyint(std::ldexp(x, -unit)), unit);
    return std::abs(rounded) >= Magnitude(infinity()) ? std::copysign(TooLarge(), x) : rounded;
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

template <>
constexpr NarrowFloat FormatOf<Float8E4M3>() {
  return {4, 3, false};
}
template <>
constexpr NarrowFloat FormatOf<Float8E5M2>() {
  return {5, 2};
}

}  // namespace twofour::test
