#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config.pb.h"
#include "sweep.pb.h"

namespace twofour::train {

/// One run of a sweep: a variant with a seed.
struct PlannedRun {
  std::string variant;
  uint64_t seed = 1;
  std::filesystem::path folder;
  std::vector<std::string> set;  ///< All assignments for --set, including the name.
  std::vector<size_t> needs;     ///< Runs that must finish before this one starts.
  proto::Config config;          ///< Its config, with all defaults.

  std::string title() const;          ///< "cubic seed 2"
  std::filesystem::path log() const;  ///< The file for its output: seed-2.log beside its folder.
};

/// Everything that a sweep will do.
struct SweepPlan {
  std::string name, baseline;
  std::filesystem::path base, folder;
  int parallel_runs = 1;
  int threads_per_run = 1;
  double seconds_per_run = 0;              ///< 0: no limit.
  std::vector<std::string> launcher = {};  ///< Words that come before the trainer.
  proto::Config base_config = {};
  std::vector<PlannedRun> runs = {};  ///< All variants with the first seed, then with the next.
  bool has_begun = false;             ///< Whether a run exists already.
};

/// The config of a run, with all defaults: `base` changed by assignments as --set takes them. Throws Error if it is not
/// valid for a run that may exist: fields without an effect are accepted (see ValidateConfig).
proto::Config ConfigOfRun(const proto::Config& base, const std::vector<std::string>& set, uint64_t seed, int threads);

/// Plans a sweep from file `source` into `folder` (empty: runs/<name>). Resolves and validates the config of every run.
/// Once a run exists, fields without an effect are accepted in all of them, because an earlier version may have begun
/// the sweep. The last `from_command_line` entries of sweep.set are from the command line, not from the file. Throws
/// Error that names the faults of the sweep itself (see FindSweepFaults), unknown names, runs that need each other, and
/// the first variant that cannot be run, or whose assignments undo one another, so that it would not be what its name
/// says. Also throws Error on variants with the same config.
SweepPlan PlanSweep(const proto::Sweep& sweep, const std::string& source, const std::filesystem::path& folder,
                    size_t from_command_line = 0);

}  // namespace twofour::train
