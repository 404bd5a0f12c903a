#pragma once

#include <string>

namespace twofour {

/// The processors that this process can compute with.
struct Processors {
  int usable = 1;    ///< Those that it may run on: its affinity mask, which containers set, too (cpusets).
  int count = 1;     ///< How many it should keep busy: `usable`, or less where a CPU quota grants less, rounded up.
  double quota = 0;  ///< CPU quota of its control groups, in processors; 0 where there is none.
  int machine = 1;   ///< All that are online.

  /// The reason why `count` is less than `machine`: "CPU quota of this container is 1.5; 64 processors". Empty if it is
  /// not.
  std::string Limit() const;
};

/// Processors::usable, counted at each call.
int UsableProcessors();

/// Counts at each call, because quotas and masks may change while a process runs. `root`: see CpuQuota.
Processors CountProcessors(const std::string& root = "");

}  // namespace twofour
