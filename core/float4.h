#pragma once

#include <bit>
#include <cstdint>

namespace twofour {

// E2M1, the 4-bit floating format of the OCP Microscaling formats and of NVFP4: 1 bit of sign, 2 of exponent, 1 of
// mantissa. The codes 0 to 7 stand for 0, 0.5, 1, 1.5, 2, 3, 4 and 6, and those from 8 on for the same with a minus.
// There are no infinities and no NaNs. No tensor has such elements: in memory and in files two codes share a byte, the
// first of them in its lower half, as in PyTorch's float4_e2m1fn_x2 and compressed-tensors' nvfp4-pack-quantized.

inline constexpr float kE2M1Largest = 6;

/// The nearest code and, halfway between two, the even one. Saturates: what is beyond 6 becomes 6, an infinity too. A
/// zero keeps its sign. A NaN, which the format cannot say, becomes 6 with its sign, so that it does not vanish; code
/// that must not lose one looks for it first.
constexpr uint8_t E2M1FromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7fffffffU;
  uint32_t code = 7;
  if (magnitude < std::bit_cast<uint32_t>(1.0F)) {
    const float sum = std::bit_cast<float>(magnitude) + 0x1p22F;  // Floats from there on are 0.5 apart.
    code = std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(0x1p22F);
  } else if (magnitude <= std::bit_cast<uint32_t>(5.0F)) {
    // With the exponent of E2M1. Adds half of what is cut off, less one where the last bit that stays is 0.
    const uint32_t rebased = magnitude - (uint32_t{126} << 23);
    code = (rebased + 0x1fffffU + (rebased >> 22 & 1U)) >> 22;
  }
  return static_cast<uint8_t>((bits >> 28 & 8U) | code);
}

/// The value of the lower four bits of `code`.
constexpr float E2M1ToFloat(uint8_t code) {
  constexpr float kValues[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, kE2M1Largest};
  const float magnitude = kValues[code & 7U];
  return (code & 8U) != 0 ? -magnitude : magnitude;
}

/// Two codes in a byte.
constexpr uint8_t PackE2M1(uint8_t first, uint8_t second) {
  return static_cast<uint8_t>((first & 15U) | uint32_t{second} << 4);
}

}  // namespace twofour
