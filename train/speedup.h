#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "twofour/train/median.h"

namespace twofour::train {

/// How many times as fast something is than what it was measured against: the median of the rounds' ratios of times,
/// and the least and the largest of them, which tell how much noise there was.
struct Speedup {
  double median = 0, least = 0, largest = 0;
};

/// `ratios` must not be empty.
inline Speedup SpeedupOf(std::vector<double> ratios) {
  const auto [least, largest] = std::ranges::minmax(ratios);
  return {.median = Median(std::move(ratios)), .least = least, .largest = largest};
}

}  // namespace twofour::train
