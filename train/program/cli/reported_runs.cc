#include "twofour/train/program/cli/reported_runs.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

#include "twofour/core/error.h"
#include "twofour/train/program/sweep/sweep_lock.h"
#include "twofour/train/program/sweep/sweep_record.h"
#include "twofour/train/program/sweep/sweep_report.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// How many levels below a folder are searched. A sweep from before there were records has VARIANT/seed-N, and may
/// itself lie in the folder that the user names.
constexpr int kLevels = 3;

class RunFinder {
 public:
  RunFinder(FileSystem& files, ReportOptions& options) : files_(files), options_(options) {}

  void AddArgument(const fs::path& path) {
    std::error_code ignored;
    if (!files_.Exists(path))
      throw Error(fmt::format("{}: not a run's folder: there is no such folder", path.string()));
    if (!fs::is_directory(path, ignored)) return Skip(path, "a file, no run's folder");
    if (files_.ListDirectory(path).empty()) return Skip(path, "an empty folder");
    if (!AddFolder(path, kLevels)) Skip(path, "no run's folder: no config.pbtxt, and no runs in it");
  }

  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void Skip(const fs::path& path, const std::string& why) {
    notes_.push_back(fmt::format("{}: skipped: {}", path.string(), why));
  }

  /// Adds the run, the sweep or all runs in the folder. Returns false if there are none.
  bool AddFolder(const fs::path& folder, int levels) {
    if (files_.Exists(RunFiles{folder}.config())) {
      AddRun(folder);
      return true;
    }
    if (AddSweep(folder)) return true;
    bool found = false;
    for (const std::string& name : levels > 0 ? files_.ListDirectory(folder) : std::vector<std::string>()) {
      std::error_code ignored;
      if (name.starts_with('.') || !fs::is_directory(folder / name, ignored)) continue;
      found = AddFolder(folder / name, levels - 1) || found;
    }
    return found;
  }

  bool AddSweep(const fs::path& folder) {
    ReportOptions sweep;
    try {
      const std::optional<SweepRecord> record = LoadSweepRecord(files_, folder);
      if (!record) return false;
      AddSweepRuns(*record, folder, SweepLock::IsHeld(files_, folder), sweep);
    } catch (const Error& error) {
      notes_.push_back(fmt::format("{}; the runs that left a folder are reported on", error.what()));
      return false;
    }
    for (const fs::path& run : sweep.runs) {
      if (AddRun(run)) options_.planned[run] = sweep.planned[run];
    }
    return true;
  }

  /// Returns false if the run was added before.
  bool AddRun(const fs::path& folder) {
    std::error_code ignored;
    fs::path canonical = fs::weakly_canonical(folder, ignored);
    if (canonical.empty()) canonical = folder;
    const auto [found, added] = seen_.emplace(std::move(canonical), folder);
    if (added) {
      options_.runs.push_back(folder);
    } else {
      Skip(folder, fmt::format("the same run as {}", found->second.string()));
    }
    return added;
  }

  FileSystem& files_;
  ReportOptions& options_;
  std::map<fs::path, fs::path> seen_;
  std::vector<std::string> notes_;
};

/// Takes the title and the baseline of a report on a single sweep from the sweep's record.
void TakeOverSweep(FileSystem& files, const fs::path& folder, ReportOptions& options) {
  if (options.planned.empty()) return;
  const std::optional<SweepRecord> record = LoadSweepRecord(files, folder);
  if (!record) return;
  if (options.title.empty()) options.title = record->name;
  if (options.baseline.empty()) options.baseline = BaselineOf(files, *record, folder);
}

}  // namespace

std::vector<std::string> FindReportedRuns(FileSystem& files, const std::vector<std::string>& arguments,
                                          ReportOptions& options) {
  RunFinder finder(files, options);
  for (const std::string& argument : arguments) finder.AddArgument(FolderPath(argument));
  if (arguments.size() == 1) TakeOverSweep(files, FolderPath(arguments[0]), options);
  return finder.notes();
}

}  // namespace twofour::train
