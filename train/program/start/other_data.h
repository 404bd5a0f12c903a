#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "twofour/train/data_record.h"

namespace twofour::train {

/// What to warn of where weights, or a config, from a run's folder begin another run on other data than that run had:
/// the first differences, or that this cannot be found out. Nothing where all is well or there is no record of the
/// data. `path` is a file in the run's folder or in one of its checkpoints. Other samples of the same meaning are worth
/// a warning only where `expects_same` says so.
std::optional<std::string> WarningOfOtherData(const std::string& path, const DataRecord& now, bool expects_same);

/// What a new run takes from runs that may have had other data.
struct TakenFromRuns {
  std::string weights;             ///< A file of initial weights; empty: none are loaded.
  bool expects_same_data = false;  ///< Whether the weights are those of a run that is to be trained again.
  std::string config;              ///< The config file that the run was begun with.
};

/// Prints a line "warning: ..." for each of these that is from a run of other data than `now`.
void WarnOfOtherData(const TakenFromRuns& taken, const DataRecord& now, std::ostream& err);

}  // namespace twofour::train
