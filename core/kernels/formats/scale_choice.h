#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "twofour/core/kernels/formats/round_loops.h"
#include "twofour/core/number_format.h"

namespace twofour::kernels {

/// No scale is smaller, so that its reciprocal, the product with a block scale of NVFP4 and the smallest number of each
/// format times a scale are normal floats. Matrices whose elements are all below some 1e-28 lose accuracy.
inline constexpr float kLeastScale = 0x1p-110F;

/// The largest product of a number and the tensor scale of NVFP4.
inline constexpr float kNvfp4Largest = kE2M1Largest * Float8E4M3::kLargest;

/// The scale with which `magnitude`, a finite float, becomes `largest`; 1 for 0.
inline float F32Scale(float largest, float magnitude) {
  if (magnitude == 0) return 1;
  const float scale = std::max(magnitude / largest, kLeastScale);
  return std::isfinite(scale * largest) ? scale : std::nextafter(scale, 0.0F);
}

/// The least power of two with which `magnitude`, a finite float, becomes at most `largest`; 1 for 0.
inline float PowerOfTwoScale(float largest, float magnitude) {
  if (magnitude == 0) return 1;
  constexpr int32_t kExponent = 0x7f800000, kMantissa = 0x007fffff, kOne = 127 << 23, kTwice = 1 << 23;
  const auto numerator = std::bit_cast<int32_t>(magnitude), denominator = std::bit_cast<int32_t>(largest);
  const int32_t up = (numerator & kMantissa) > (denominator & kMantissa) ? kTwice : 0;
  // Of denormal numbers, this is wrong and far below the least.
  const int32_t bits = (numerator & kExponent) - (denominator & kExponent) + kOne + up;
  return std::bit_cast<float>(std::max(bits, std::bit_cast<int32_t>(kLeastScale)));
}

inline float ChooseScale(NumberFormat::ScaleType type, float largest, float magnitude) {
  return type == NumberFormat::ScaleType::kF32 ? F32Scale(largest, magnitude) : PowerOfTwoScale(largest, magnitude);
}

/// The number of the grid at which elements end: the largest, or where that times the scale is too large for a float,
/// the last one that is not, which is the last below a power of two.
inline float LimitOf(const loops::NumberGrid& grid, float scale) {
  if (std::isfinite(grid.largest * scale)) return grid.largest;
  const float power = std::bit_cast<float>(std::bit_cast<uint32_t>(grid.largest) & 0x7f800000U);
  return power - std::ldexp(power, -1 - grid.mantissa_bits);
}

}  // namespace twofour::kernels
