#include "twofour/train/program/sweep/time_left.h"

#include <algorithm>
#include <cmath>

namespace twofour::train {

void TimeLeft::Add(int64_t steps, double seconds) {
  steps_ += steps;
  seconds_ += seconds;
}

std::optional<double> TimeLeft::Estimate(std::span<const RunToCome> runs, int at_once) const {
  if (steps_ == 0) return std::nullopt;
  const double seconds_per_step = seconds_ / static_cast<double>(steps_);
  double total = 0;
  double longest = 0;  // The last runs do not become faster by having the processors to themselves.
  for (const RunToCome& run : runs) {
    const double left = std::max(seconds_per_step * static_cast<double>(run.steps) - run.elapsed, 0.0);
    total += left;
    longest = std::max(longest, left);
  }
  return std::max(total / at_once, longest);
}

}  // namespace twofour::train
