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
  std::filesystem::path folder = {};  ///< Relative to the sweep's folder, and never outside of it.
  std::vector<std::string> set = {};  ///< How its config differs from the base config, as --set takes it.
  RunOutcome outcome = RunOutcome::kNotStarted;
  std::string reason = {};  ///< In words, if it is not finished.
};

/// The plan of a sweep as its folder keeps it, so that a report knows of runs that left nothing themselves. The sweep
/// itself does not rely on it: the runs' folders say which runs are finished.
struct SweepRecord {
  std::string name = {}, baseline = {};
  std::string base_config = {};  ///< Protobuf text.
  std::vector<RecordedRun> runs = {};
};

/// The name of the record's file in a sweep's folder.
inline constexpr const char* kSweepRecordFile = "sweep.json";

/// The record of a sweep that begins. `before` is the folder's earlier record. If it says that a run failed, timed out
/// or was interrupted, this stays in the new record until the run is started again.
SweepRecord BeginRecord(const SweepPlan& plan, const std::vector<RunState>& states,
                        const std::optional<SweepRecord>& before);

/// Converts a record to the text of the file and back. Parsing is strict, because the file may come from anywhere. It
/// throws Error that begins with `source`.
std::string ToJson(const SweepRecord& record);
SweepRecord ParseSweepRecord(const std::string& text, const std::string& source);

/// Reads the record in a sweep's folder; nothing if there is none. Throws Error as ParseSweepRecord does.
std::optional<SweepRecord> LoadSweepRecord(FileSystem& files, const std::filesystem::path& folder);

/// The configs of the recorded runs, in their order. Throws Error that names the run if one is not valid.
std::vector<proto::Config> ConfigsOf(const SweepRecord& record);

}  // namespace twofour::train
