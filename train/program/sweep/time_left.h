#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace twofour::train {

/// A run that has not ended.
struct RunToCome {
  int64_t steps = 0;   ///< Of all of it.
  double elapsed = 0;  ///< Seconds that it has been under way; 0 where it waits.
};

/// Guesses how long the rest of a sweep takes by the time that its steps took so far, whatever run they were of.
class TimeLeft {
 public:
  /// A run of this many steps took so long.
  void Add(int64_t steps, double seconds);
  /// Seconds until all of `runs` have ended, so many of them at once. Nothing as long as nothing was added.
  std::optional<double> Estimate(std::span<const RunToCome> runs, int at_once) const;

 private:
  int64_t steps_ = 0;
  double seconds_ = 0;
};

}  // namespace twofour::train
