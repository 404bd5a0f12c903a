#pragma once

#include <cstdint>
#include <vector>

namespace twofour {

/// How fast all threads together can compute at most, as far as a measurement tells.
struct PeakFlops {
  double flops = 0;    ///< FLOP/s; 0: not measured.
  double typical = 0;  ///< What they reached half of the time. Well below `flops` where something was in the way.
  /// Whether `flops` may be taken at its word: all threads were seen to run at once, at much the same speed all the
  /// time.
  bool sure = false;
};

/// A short stretch of one thread's measurement. The time that it ran is less than the time that passed where the system
/// put the thread aside. All in nanoseconds.
struct PeakWindow {
  int64_t begin = 0, end = 0;
  int64_t ran = 0;
  double operations = 0;
};

/// The peak of threads that each recorded windows, in the order of time. The time for which a thread was put aside does
/// not count. Rates are added up over windows of all threads that overlap in time, because threads that share a core
/// are faster when they run by themselves; where there are too few of these, each thread's own best are added up, and
/// nothing is sure.
PeakFlops EstimatePeak(const std::vector<std::vector<PeakWindow>>& threads);

}  // namespace twofour
