#pragma once

#include <cstdint>
#include <vector>

namespace twofour {

/// The highest speed of all threads together, as far as a measurement shows it.
struct PeakFlops {
  double flops = 0;    ///< FLOP/s; 0: not measured.
  double typical = 0;  ///< Reached half of the time. Well below `flops` where something was in the way.
  /// Whether `flops` can be trusted: all threads were seen to run at once, at nearly the same speed all the time.
  bool sure = false;
};

/// A short stretch of one thread's measurement. Where the system put the thread aside, `ran` is less than the time that
/// passed. All times are in nanoseconds.
struct PeakWindow {
  int64_t begin = 0, end = 0;
  int64_t ran = 0;
  double operations = 0;
};

/// The peak of threads, each of which recorded windows in the order of time. The time for which a thread was put aside
/// does not count. Adds up the rates of windows of all threads that overlap in time, because threads that share a core
/// are faster when they run by themselves. Where too few windows overlap, adds up the best rates of each thread, and
/// the result is not sure.
PeakFlops EstimatePeak(const std::vector<std::vector<PeakWindow>>& threads);

}  // namespace twofour
