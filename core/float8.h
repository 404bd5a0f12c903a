#pragma once

#include <bit>
#include <cstdint>

namespace twofour {

// The two 8-bit floating types that a Tensor can hold, of Micikevicius et al., "FP8 formats for deep learning" (2022).
// To compute with single values, convert them to float.
//
// A conversion from float rounds to the nearest value and, halfway between two, to the one whose last bit is 0. It does
// not saturate: a value that is too large becomes what the format has instead of larger numbers, as in PyTorch's to()
// and in ml_dtypes. (RoundTo and Quantize of quantize.h saturate.) Zeros and NaNs keep their signs. A conversion to
// float is exact.

namespace internal {

/// A format of one byte with `mantissa_bits` bits of mantissa, as bits of a float and back.
template <int mantissa_bits>
struct Float8Bits {
  static constexpr int kBias = (1 << (6 - mantissa_bits)) - 1;
  static constexpr int kShift = 23 - mantissa_bits;  ///< From its bits to the place of float's.
  /// Added to turn its exponent into float's.
  static constexpr uint32_t kRebias = static_cast<uint32_t>(127 - kBias) << 23;
  static constexpr uint32_t kSmallestNormal = uint32_t{1} << 23;  ///< At the place of float's mantissa.
  /// The power of two from which on floats are as far apart as denormal numbers of the format.
  static constexpr float kDenormalUnit = std::bit_cast<float>(static_cast<uint32_t>(127 + kShift + 1 - kBias) << 23);

  /// The bits of a finite float without its sign, rounded, as if the exponent had no end.
  static constexpr uint32_t Round(uint32_t magnitude) {
    if (magnitude >= kSmallestNormal + kRebias) {
      // Adds half of what is cut off, less one where the last bit that stays is 0. A carry goes into the exponent.
      return (magnitude - kRebias + (uint32_t{1} << (kShift - 1)) - 1 + (magnitude >> kShift & 1U)) >> kShift;
    }
    const float sum = std::bit_cast<float>(magnitude) + kDenormalUnit;  // The addition rounds.
    return std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(kDenormalUnit);
  }

  /// The float of bits that have no sign, as if none of them stood for an infinity or a NaN.
  static constexpr float Magnitude(uint32_t bits) {
    const uint32_t shifted = bits << kShift;
    if (shifted >= kSmallestNormal) return std::bit_cast<float>(shifted + kRebias);
    // A denormal number that is read with the exponent of the smallest normal number has a leading 1 too many.
    return std::bit_cast<float>(shifted + kSmallestNormal + kRebias) - std::bit_cast<float>(kSmallestNormal + kRebias);
  }

  static constexpr float WithSign(uint32_t bits, uint32_t magnitude) {
    return std::bit_cast<float>((bits & 0x80U) << 24 | magnitude);
  }
};

inline constexpr uint32_t kFloatInfinity = 0x7f800000U, kFloatQuietNan = 0x7fc00000U;

}  // namespace internal

/// 1 bit of sign, 4 of exponent, 3 of mantissa; PyTorch's float8_e4m3fn. Largest value 448, smallest positive 2^-9. It
/// has no infinity: 0x7f and 0xff are its only NaNs, and a number above 464, which would be rounded beyond 448, becomes
/// one.
class Float8E4M3 {
 public:
  Float8E4M3() = default;
  explicit constexpr Float8E4M3(float value) : bits_(Round(std::bit_cast<uint32_t>(value))) {}
  explicit constexpr operator float() const {
    const uint32_t magnitude = bits_ & kNan;
    return Bits::WithSign(
        bits_, magnitude == kNan ? internal::kFloatQuietNan : std::bit_cast<uint32_t>(Bits::Magnitude(magnitude)));
  }

  static constexpr Float8E4M3 FromBits(uint8_t bits) {
    Float8E4M3 value(0.0F);
    value.bits_ = bits;
    return value;
  }
  constexpr uint8_t bits() const { return bits_; }

  static constexpr float kLargest = 448;

 private:
  using Bits = internal::Float8Bits<3>;
  static constexpr uint32_t kNan = 0x7f;

  static constexpr uint8_t Round(uint32_t value) {
    const uint32_t sign = value >> 24 & 0x80U, magnitude = value & 0x7fffffffU;
    const bool too_large =
        magnitude >= std::bit_cast<uint32_t>(480.0F);  // Or a NaN. Those above 464 become kNan below.
    return static_cast<uint8_t>(sign | (too_large ? kNan : Bits::Round(magnitude)));
  }

  uint8_t bits_;
};

/// 1 bit of sign, 5 of exponent, 2 of mantissa: the upper half of a Float16; PyTorch's float8_e5m2. Largest value
/// 57344, smallest positive 2^-16. A number of 61440 or more becomes an infinity. A NaN keeps the upper bits of its
/// payload and becomes quiet, so its bits may be others than PyTorch's, which has one NaN of each sign.
class Float8E5M2 {
 public:
  Float8E5M2() = default;
  explicit constexpr Float8E5M2(float value) : bits_(Round(std::bit_cast<uint32_t>(value))) {}
  explicit constexpr operator float() const {
    const uint32_t magnitude = bits_ & 0x7fU;
    if (magnitude > kInfinity) return Bits::WithSign(bits_, internal::kFloatQuietNan | magnitude << 21);
    if (magnitude == kInfinity) return Bits::WithSign(bits_, internal::kFloatInfinity);
    return Bits::WithSign(bits_, std::bit_cast<uint32_t>(Bits::Magnitude(magnitude)));
  }

  static constexpr Float8E5M2 FromBits(uint8_t bits) {
    Float8E5M2 value(0.0F);
    value.bits_ = bits;
    return value;
  }
  constexpr uint8_t bits() const { return bits_; }

  static constexpr float kLargest = 57344;

 private:
  using Bits = internal::Float8Bits<2>;
  static constexpr uint32_t kInfinity = 0x7c, kQuiet = 0x02;

  static constexpr uint8_t Round(uint32_t value) {
    const uint32_t sign = value >> 24 & 0x80U, magnitude = value & 0x7fffffffU;
    if (magnitude > internal::kFloatInfinity) {
      return static_cast<uint8_t>(sign | kInfinity | kQuiet | (magnitude >> 21 & 0x03U));
    }
    const bool too_large = magnitude >= std::bit_cast<uint32_t>(65536.0F);  // Those below are rounded to kInfinity.
    return static_cast<uint8_t>(sign | (too_large ? kInfinity : Bits::Round(magnitude)));
  }

  uint8_t bits_;
};

}  // namespace twofour
