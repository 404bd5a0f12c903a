#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "twofour/train/data_record.h"

namespace twofour::train {

/// A warning for a run that starts with the weights or the config of an earlier run but has other data. It names the
/// first differences, or says why the data cannot be compared. nullopt if there is no difference, or no record of the
/// earlier data. `path` is a file in the earlier run's folder or in one of its checkpoints. Differences that do not
/// change the meaning of the samples only count if `expects_same` is true.
std::optional<std::string> WarningOfOtherData(const std::string& path, const DataRecord& now, bool expects_same);

/// What a new run takes from earlier runs, which may have had other data.
struct TakenFromRuns {
  std::string weights;             ///< A file of initial weights; empty if there is none.
  bool expects_same_data = false;  ///< Whether the run should have the data of the run that the weights are from.
  std::string config;              ///< The config file that the run was started with.
};

/// Prints a line "warning: ..." for each of these files that is from a run with other data than `now`.
void WarnOfOtherData(const TakenFromRuns& taken, const DataRecord& now, std::ostream& err);

}  // namespace twofour::train
