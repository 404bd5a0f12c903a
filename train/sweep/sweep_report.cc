#include "twofour/train/sweep/sweep_report.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

namespace fs = std::filesystem;

void AddSweepRuns(const SweepRecord& record, const fs::path& folder, bool at_work, ReportOptions& options) {
  for (const RecordedRun& run : record.runs) {
    PlannedRunRecord planned{run.outcome, run.reason, {}};
    try {
      planned.config = ConfigOf(record, run);
    } catch (const Error& error) {
      const std::string message = error.what();
      throw Error(fmt::format("{}: {}: {}", (folder / kSweepRecordFile).string(), run.folder.string(),
                              message.substr(0, message.find('\n'))));
    }
    if (planned.outcome == RunOutcome::kUnderWay && !at_work) {
      planned.outcome = RunOutcome::kInterrupted;
      planned.reason = "its sweep ended without waiting for it";
    }
    const fs::path path = folder / run.folder;
    options.runs.push_back(path);
    options.planned[path] = std::move(planned);
  }
}

std::string BaselineOf(FileSystem& files, const SweepRecord& record, const fs::path& folder) {
  std::string first;
  for (const RecordedRun& run : record.runs) {
    if (!files.Exists(RunFiles{folder / run.folder}.model())) continue;
    if (run.variant == record.baseline) return record.baseline;
    if (first.empty()) first = run.variant;
  }
  return first;
}

}  // namespace twofour::train
