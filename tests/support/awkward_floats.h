#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "twofour/core/random.h"

namespace twofour::test {

/// `count` random numbers of both signs and many sizes, among them zeros of both signs. With `specials`, there are also
/// NaNs, infinities, and the largest and the smallest numbers.
inline std::vector<float> AwkwardFloats(int64_t count, const RandomKey& key, bool specials) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float kSpecials[] = {std::numeric_limits<float>::quiet_NaN(),
                             kInfinity,
                             -kInfinity,
                             std::numeric_limits<float>::max(),
                             std::numeric_limits<float>::lowest(),
                             std::numeric_limits<float>::denorm_min(),
                             -std::numeric_limits<float>::denorm_min()};
  RandomSequence random(key);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    const uint32_t kind = random.Below(specials ? 16 : 8);
    if (kind >= 9) {
      value = kSpecials[kind - 9];
    } else if (kind == 8) {
      value = std::ldexp(random.Uniform(-1, 1), -120);
    } else if (kind >= 2) {
      value = std::ldexp(random.Uniform(-1, 1), static_cast<int>(random.Below(20)) - 10);
    } else {
      value = kind == 0 ? 0.0f : -0.0f;
    }
  }
  return values;
}

/// Equal to the bit, or both NaN.
inline bool SameFloat(float a, float b) { return std::isnan(a) ? std::isnan(b) : std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace twofour::test
