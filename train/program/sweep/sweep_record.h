#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/report/run_outcome.h"
#include "twofour/train/program/sweep/plan.h"
#include "twofour/train/program/sweep/run_state.h"

#include "config.pb.h"

namespace twofour::train {

/// A planned run and what became of it.
struct RecordedRun {
  std::string variant = {};
  uint64_t seed = 1;
  std::filesystem::path folder = {};  ///< Relative to the sweep's; never outside of it.
  std::vector<std::string> set = {};  ///< What its config changes in the base config, as --set takes it.
  RunOutcome outcome = RunOutcome::kNotStarted;
  std::string reason = {};  ///< In words, where it is not finished.
};

/// What a sweep leaves of its plan in its folder, so that a report knows of runs that left nothing themselves. The
/// sweep itself never goes by it: which runs are finished is told by their folders.
struct SweepRecord {
  std::string name = {}, baseline = {};
  std::string base_config = {};  ///< Protobuf text.
  std::vector<RecordedRun> runs = {};
};

/// The record's file within a sweep's folder.
inline constexpr const char* kSweepRecordFile = "sweep.json";

/// The record of a sweep that begins. How a run failed, or was interrupted, by `before`, the record of the same folder,
/// holds until it is started again.
SweepRecord BeginRecord(const SweepPlan& plan, const std::vector<RunState>& states,
                        const std::optional<SweepRecord>& before);

/// The text of the file, and back. Parsing is strict, since the file may be from anywhere: throws Error that begins
/// with `source`.
std::string ToJson(const SweepRecord& record);
SweepRecord ParseSweepRecord(const std::string& text, const std::string& source);

/// Reads the record in a sweep's folder; nothing when there is none. Throws Error as ParseSweepRecord does.
std::optional<SweepRecord> LoadSweepRecord(FileSystem& files, const std::filesystem::path& folder);

/// The configs that the recorded runs have, in their order. Throws Error that names the run when one is not valid.
std::vector<proto::Config> ConfigsOf(const SweepRecord& record);

}  // namespace twofour::train
