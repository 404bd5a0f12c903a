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
  std::vector<std::string> set;  ///< All that --set is given, the name included.
  std::vector<size_t> needs;     ///< Runs that are finished before this one starts.
  proto::Config config;          ///< What it will do, spelled out.

  std::string title() const;          ///< "cubic seed 2"
  std::filesystem::path log() const;  ///< What it prints: seed-2.log beside its folder.
};

/// All that a sweep will do.
struct SweepPlan {
  std::string name, baseline;
  std::filesystem::path base, folder;
  int parallel_runs = 1;
  int threads_per_run = 1;
  double seconds_per_run = 0;  ///< 0: as long as it takes.
  proto::Config base_config = {};
  std::vector<PlannedRun> runs = {};  ///< All variants with the first seed, then with the next.
};

/// The config of a run that differs from `base` by assignments as --set takes them, spelled out. Throws Error when it
/// is not valid.
proto::Config ConfigOfRun(const proto::Config& base, const std::vector<std::string>& set, uint64_t seed, int threads);

/// Plans a valid sweep from file `source` into `folder` (empty: runs/<name>). Resolves and validates the config of
/// every run. The last `from_command_line` of sweep.set are not the file's own. Throws Error on the first variant that
/// cannot be run or that would not be what it is called, because its assignments undo one another, on variants of one
/// config, on unknown names, and on runs that need each other.
SweepPlan PlanSweep(const proto::Sweep& sweep, const std::string& source, const std::filesystem::path& folder,
                    size_t from_command_line = 0);

}  // namespace twofour::train
