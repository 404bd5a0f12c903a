#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace twofour::train {

/// A run that has not ended.
struct RunToCome {
  int64_t steps = 0;   ///< Steps of the whole run.
  double elapsed = 0;  ///< Seconds since it was started; 0 if it waits.
};

/// Estimates how long the rest of a sweep takes from the mean time of its steps so far, over all runs.
class TimeLeft {
 public:
  /// Adds a run that has ended: its steps, and how long it took.
  void Add(int64_t steps, double seconds);
  /// Seconds until all of `runs` have ended, if `at_once` of them run at a time. Nothing until a run was added.
  std::optional<double> Estimate(std::span<const RunToCome> runs, int at_once) const;

 private:
  int64_t steps_ = 0;
  double seconds_ = 0;
};

}  // namespace twofour::train
