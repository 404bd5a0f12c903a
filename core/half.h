#pragma once

#include <bit>
#include <cstdint>

namespace twofour {

// The two 16-bit floating types that a Tensor can hold. To compute with single values, convert them to float.
//
// A conversion from float rounds to the nearest value and, halfway between two, to the one whose last bit is 0. A value
// that is too large becomes an infinity. A NaN stays a NaN: it keeps its sign and the upper bits of its payload, and
// becomes quiet if it was signalling. A conversion to float is exact.

/// IEEE 754's binary16: 1 bit of sign, 5 of exponent, 10 of mantissa. Largest value 65504, smallest positive 2^-24.
class Float16 {
 public:
  Float16() = default;
  explicit constexpr Float16(float value) : bits_(Round(std::bit_cast<uint32_t>(value))) {}
  explicit constexpr operator float() const {
    const uint32_t sign = (uint32_t{bits_} & 0x8000U) << 16;
    const uint32_t shifted = (uint32_t{bits_} & 0x7fffU) << 13;
    if (shifted > kInfinity) return std::bit_cast<float>(sign | 0x7fc00000U | shifted);  // A NaN.
    if (shifted == kInfinity) return std::bit_cast<float>(sign | 0x7f800000U);
    if (shifted >= kSmallestNormal) return std::bit_cast<float>(sign | (shifted + kRebias));
    // A denormal number that is read with the exponent of the smallest normal number has a leading 1 too many.
    const float magnitude = std::bit_cast<float>(shifted + kSmallestNormal + kRebias) - 0x1p-14F;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }

  static constexpr Float16 FromBits(uint16_t bits) {
    Float16 value(0.0F);
    value.bits_ = bits;
    return value;
  }
  constexpr uint16_t bits() const { return bits_; }

 private:
  // At the place of float's mantissa, but with a 5-bit exponent above it.
  static constexpr uint32_t kInfinity = 0x7c00U << 13, kSmallestNormal = 0x0400U << 13;
  /// Added to turn such an exponent into float's.
  static constexpr uint32_t kRebias = uint32_t{127 - 15} << 23;

  static constexpr uint16_t Round(uint32_t value) {
    const uint32_t sign = value >> 16 & 0x8000U;
    const uint32_t magnitude = value & 0x7fffffffU;
    uint32_t rounded = 0;
    if (magnitude > 0x7f800000U) {  // A NaN.
      rounded = 0x7e00U | (magnitude >> 13 & 0x03ffU);
    } else if (magnitude >= 0x47800000U) {  // 65536 or more. Values between 65504 and that are rounded below.
      rounded = 0x7c00U;
    } else if (magnitude >= kSmallestNormal + kRebias) {
      // Adds half of what is cut off, less one where the last bit that stays is 0. A carry goes into the exponent.
      rounded = (magnitude - kRebias + 0x0fffU + (magnitude >> 13 & 1U)) >> 13;
    } else {
      // A denormal result. Floats in [0.5, 1) are as far apart as such results, so the addition rounds.
      const float sum = std::bit_cast<float>(magnitude) + 0.5F;
      rounded = std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(0.5F);
    }
    return static_cast<uint16_t>(sign | rounded);
  }

  uint16_t bits_;
};

/// bfloat16: the upper half of a float, that is 1 bit of sign, 8 of exponent, 7 of mantissa.
class BFloat16 {
 public:
  BFloat16() = default;
  explicit constexpr BFloat16(float value) : bits_(Round(std::bit_cast<uint32_t>(value))) {}
  explicit constexpr operator float() const {
    const uint32_t quiet = (bits_ & 0x7fffU) > 0x7f80U ? 0x00400000U : 0;
    return std::bit_cast<float>(uint32_t{bits_} << 16 | quiet);
  }

  static constexpr BFloat16 FromBits(uint16_t bits) {
    BFloat16 value(0.0F);
    value.bits_ = bits;
    return value;
  }
  constexpr uint16_t bits() const { return bits_; }

 private:
  static constexpr uint16_t Round(uint32_t value) {
    const uint32_t upper = value >> 16;
    if ((value & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>(upper | 0x0040U);  // A NaN.
    return static_cast<uint16_t>((value + 0x7fffU + (upper & 1U)) >> 16);
  }

  uint16_t bits_;
};

}  // namespace twofour
