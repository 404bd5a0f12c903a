#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/half.h"
#include "twofour/core/random.h"

namespace twofour::test {

/// `count` random numbers: every second one from [-4, 4), and, with `specials`, the others any of the 2^16 patterns,
/// among them denormal numbers, infinities, quiet and signalling NaNs.
inline std::vector<BFloat16> AwkwardHalves(int64_t count, const RandomKey& key, bool specials) {
  RandomSequence random(key);
  std::vector<BFloat16> values(static_cast<size_t>(count));
  for (BFloat16& value : values) {
    const bool any = specials && random.Below(2) == 0;
    value = any ? BFloat16::FromBits(static_cast<uint16_t>(random.Below(1 << 16))) : BFloat16(random.Uniform(-4, 4));
  }
  return values;
}

inline std::vector<float> Widened(const std::vector<BFloat16>& values) {
  std::vector<float> wide;
  for (const BFloat16 value : values) wide.push_back(static_cast<float>(value));
  return wide;
}

/// Equal to the bit, or both NaN.
inline bool SameHalf(BFloat16 a, BFloat16 b) {
  const auto is_nan = [](BFloat16 x) { return (x.bits() & 0x7fff) > 0x7f80; };
  return a.bits() == b.bits() || (is_nan(a) && is_nan(b));
}

}  // namespace twofour::test
