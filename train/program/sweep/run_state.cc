#include "twofour/train/program/sweep/run_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/note_fault.h"
#include "twofour/train/data_difference.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/sweep/sweep_record.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// Throws Error if the data files of the run have changed since it was made. Checks nothing if one of them is gone: a
/// finished run no longer needs it.
void RequireSameData(FileSystem& files, const PlannedRun& run, DataFingerprints& fingerprints) {
  const std::optional<DataRecord> then = LoadDataRecord(files, {run.folder});
  const auto is_there = [&files](const DataPath& file) { return files.Exists(file.path); };
  if (!then || then->version < DataRecord::kExactVersion ||
      !std::ranges::all_of(DataPaths(run.config.data()), is_there)) {
    return;
  }
  DataRecord now = *then;
  now.files = fingerprints.Of(run.config.data());
  const std::vector<DataDifference> differences = CompareData(*then, now);
  if (differences.empty()) return;
  throw Error(
      fmt::format("{}: its data has changed since it was made: {}; remove it, or choose another folder with --out",
                  run.folder.string(), Describe(differences)));
}

RunState FindRunState(FileSystem& files, const PlannedRun& run, DataFingerprints& fingerprints) {
  const RunFiles paths{run.folder};
  if (!files.Exists(paths.config())) {
    const bool free = !files.Exists(run.folder) || (fs::is_directory(run.folder) && fs::is_empty(run.folder));
    if (free) return RunState::kNew;
    throw Error(
        fmt::format("{}: exists already and holds no config.pbtxt, so it is not a run's folder", run.folder.string()));
  }
  const proto::Config stored = WithDefaults(LoadTextConfig(paths.config().string()));
  if (const std::optional<std::string> difference = FirstDifference(stored, run.config)) {
    throw Error(
        fmt::format("{}: belongs to a run of another config; first difference: {}; remove it, or choose "
                    "another folder with --out",
                    run.folder.string(), *difference));
  }
  RequireSameData(files, run, fingerprints);
  return files.Exists(paths.model()) ? RunState::kFinished : RunState::kInterrupted;
}

/// Throws Error if the sweep's folder holds something, but no sweep.
void RequireFolderOfASweep(FileSystem& files, const SweepPlan& plan) {
  if (!files.Exists(plan.folder)) return;
  const auto has_variant = [&files](const PlannedRun& run) { return files.Exists(run.folder.parent_path()); };
  constexpr const char* kExpected = "expected that of a sweep, or an empty or new one, with --out";
  if (!fs::is_directory(plan.folder)) throw Error(fmt::format("{}: no folder, {}", plan.folder.string(), kExpected));
  if (files.Exists(plan.folder / kSweepRecordFile) || files.ListDirectory(plan.folder).empty()) return;
  if (files.Exists(RunFiles{plan.folder}.config())) {
    throw Error(fmt::format("{}: the folder of a run, {}", plan.folder.string(), kExpected));
  }
  // The folder of an old sweep, or one whose record was lost.
  if (std::ranges::any_of(plan.runs, has_variant)) return;
  throw Error(fmt::format("{}: holds something, but no {} and no variant of this sweep; {}", plan.folder.string(),
                          kSweepRecordFile, kExpected));
}

}  // namespace

std::vector<RunState> FindRunStates(FileSystem& files, const SweepPlan& plan) {
  RequireFolderOfASweep(files, plan);
  constexpr size_t kMaxLines = 5;
  std::vector<RunState> states;
  std::vector<std::string> faults;
  DataFingerprints fingerprints;
  for (const PlannedRun& run : plan.runs) {
    try {
      states.push_back(FindRunState(files, run, fingerprints));
    } catch (const Error& error) {
      faults.push_back(error.what());
    }
  }
  const size_t more = faults.size() - std::min(faults.size(), kMaxLines);
  faults.resize(faults.size() - more);
  if (more > 0) faults.push_back(fmt::format("and {} more folders", more));
  ThrowFaults(faults);
  return states;
}

}  // namespace twofour::train
