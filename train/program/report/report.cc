#include "twofour/train/program/report/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"
#include "twofour/train/program/report/csv.h"
#include "twofour/train/program/report/page.h"
#include "twofour/train/program/report/run_group.h"
#include "twofour/train/program/report/run_record.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// Checked first, because reading metrics can be slow.
void RequireWritable(const fs::path& html) {
  if (html.extension() != ".html" && html.extension() != ".htm") {
    throw Error(fmt::format("{}: expected a file that ends in .html", html.string()));
  }
  std::error_code ignored;
  const fs::path folder = html.has_parent_path() ? html.parent_path() : ".";
  if (!fs::is_directory(folder, ignored)) {
    throw Error(fmt::format("{}: cannot be written: {} is not a folder", html.string(), folder.string()));
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw Error(fmt::format("{}: cannot be written: no permission for {}", html.string(), folder.string()));
  }
  for (const fs::path& path : {html, fs::path(html).replace_extension(".csv")}) {
    if (fs::is_directory(path, ignored))
      throw Error(fmt::format("{}: cannot be written: it is a folder", path.string()));
  }
}

std::vector<RunRecord> LoadRuns(FileSystem& files, const ReportOptions& options) {
  const std::vector<fs::path>& folders = options.runs;
  if (folders.empty()) throw Error("no runs to report on, expected at least one run's folder");
  if (folders.size() > kMaxReportedRuns) {
    throw Error(fmt::format("{} runs to report on, expected at most {}", folders.size(), kMaxReportedRuns));
  }
  std::set<fs::path> seen;
  for (const fs::path& folder : folders) {
    std::error_code ignored;  // If the folder is missing, LoadRun says so.
    if (!seen.insert(fs::weakly_canonical(folder, ignored)).second) {
      throw Error(fmt::format("{}: the run is listed twice", folder.string()));
    }
  }
  std::vector<RunRecord> runs;
  for (const fs::path& folder : folders) {
    const auto planned = options.planned.find(folder);
    const fs::path path = FolderPath(folder.string());
    runs.push_back(planned == options.planned.end() ? LoadRun(files, path)
                                                    : LoadPlannedRun(files, path, planned->second));
  }
  return runs;
}

void NoteTornLines(const RunGroup& group, std::vector<std::string>& notes) {
  for (const RunRecord& run : group.runs) {
    if (!run.torn_line) continue;
    notes.push_back(fmt::format("{}:{}: skipped the last line, cut short as by a kill",
                                RunFiles{run.folder}.metrics().string(), *run.torn_line));
  }
}

/// Says which runs were not trained by their configs from the beginning. A run that was only made longer was.
void NoteChanges(const RunGroup& group, std::vector<std::string>& notes) {
  for (const RunRecord& run : group.runs) {
    for (const auto& [step, changes] : run.changes) {
      for (const std::string& change : changes) {
        if (change.starts_with("training.steps:")) continue;
        notes.push_back(fmt::format("{}: its config holds only after step {}: {}", run.folder.string(), step, change));
      }
    }
  }
}

/// "runs/a", or "runs/a and 3 more".
std::string FirstAndCount(const std::vector<std::string>& folders) {
  return folders.size() == 1 ? folders[0] : fmt::format("{} and {} more", folders[0], folders.size() - 1);
}

void NoteEqualSeeds(const RunGroup& group, std::vector<std::string>& notes) {
  std::set<std::pair<uint64_t, std::string>> seeds;
  for (const RunRecord& run : group.runs) {
    if (!run.finished || seeds.emplace(run.config.seed(), run.config.initial_weights()).second) continue;
    notes.push_back(
        fmt::format("{}: another run of group {} has seed {} as well: the same numbers, counted twice, make "
                    "deviations and intervals too small",
                    run.folder.string(), group.label, run.config.seed()));
  }
}

/// The first step with a loss in the run's records.
std::optional<int64_t> FirstStep(const RunRecord& run) {
  std::optional<int64_t> first;
  for (const Curve* curve : {&run.train_loss, &run.eval_loss}) {
    if (!curve->empty()) first = std::min(first.value_or(curve->begin()->first), curve->begin()->first);
  }
  return first;
}

/// Says which runs are missing where something is shown against seconds.
void NoteMissingSeconds(const std::vector<RunGroup>& groups, std::vector<std::string>& notes) {
  size_t recorded = 0;
  std::vector<std::string> without, late;
  for (const RunGroup& group : groups) {
    for (const RunRecord& run : group.runs) {
      const std::optional<int64_t> first = FirstStep(run);
      if (!first) continue;
      ++recorded;
      if (run.training_seconds.empty()) {
        without.push_back(run.folder.string());
      } else if (run.training_seconds.begin()->first > *first) {
        late.push_back(run.folder.string());
      }
    }
  }
  if (!without.empty() && without.size() == recorded) {
    notes.push_back(
        "no training_seconds in the records of any run, made by an earlier twofour: nothing is shown against seconds");
  } else if (!without.empty()) {
    notes.push_back(
        fmt::format("no training_seconds in the records of {}, made by an earlier twofour: left out where losses are "
                    "shown against seconds",
                    FirstAndCount(without)));
  }
  if (!late.empty()) {
    notes.push_back(
        fmt::format("no training_seconds in the first records of {}, made by an earlier twofour: what is shown against "
                    "seconds begins later",
                    FirstAndCount(late)));
  }
}

}  // namespace

fs::path CsvPath(const ReportOptions& options) { return fs::path(options.html).replace_extension(".csv"); }

Report BuildReport(FileSystem& files, const ReportOptions& options) {
  RequireWritable(options.html);
  const std::vector<RunGroup> groups = GroupRuns(LoadRuns(files, options));
  const size_t baseline = FindGroup(groups, options.baseline);
  Report report{.groups = groups.size(), .runs = options.runs.size(), .left_out = CountsOfOthers(groups)};
  for (const RunGroup& group : groups) {
    NoteTornLines(group, report.notes);
    NoteEqualSeeds(group, report.notes);
    NoteChanges(group, report.notes);
  }
  NoteMissingSeconds(groups, report.notes);
  report.html = ReportPage(groups, baseline, options.title, report.notes);
  report.csv = RunsAsCsv(groups);
  return report;
}

void SaveReport(FileSystem& files, const ReportOptions& options, const Report& report) {
  WriteTextAtomically(files, CsvPath(options), report.csv);
  WriteTextAtomically(files, options.html, report.html);
}

void WriteReport(FileSystem& files, const ReportOptions& options) {
  SaveReport(files, options, BuildReport(files, options));
}

}  // namespace twofour::train
