#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/train/program/config/workload.h"

#include "config.pb.h"

namespace twofour::train {

/// A run that was begun before, whose data is loaded again.
struct EarlierRun {
  std::filesystem::path folder;
  const proto::Config& stored;  ///< Its config, with all defaults.
};

/// The data of a run, and what the user should know about how it was found, one line each.
struct RunData {
  Workload workload;
  std::vector<std::string> notes;
};

/// Loads the data of `config` for a run and checks that it is what the run began with. Changed data is an Error that
/// names the differences. With `accept_changed_data` it is only a note, and the classes, columns, scaling and
/// vocabulary that the run's model was made with stay in force; data that these cannot describe is still an Error.
RunData LoadRunData(const EarlierRun& run, const proto::Config& config, bool accept_changed_data);

}  // namespace twofour::train
