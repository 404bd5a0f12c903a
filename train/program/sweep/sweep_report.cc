#include "twofour/train/program/sweep/sweep_report.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

namespace fs = std::filesystem;

void AddSweepRuns(const SweepRecord& record, const fs::path& folder, bool at_work, ReportOptions& options) {
  std::vector<proto::Config> configs;
  try {
    configs = ConfigsOf(record);
  } catch (const Error& error) {
    const std::string message = error.what();
    throw Error(fmt::format("{}: {}", (folder / kSweepRecordFile).string(), message.substr(0, message.find('\n'))));
  }
  for (size_t i = 0; i < record.runs.size(); ++i) {
    const RecordedRun& run = record.runs[i];
    PlannedRunRecord planned{run.outcome, run.reason, std::move(configs[i])};
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
