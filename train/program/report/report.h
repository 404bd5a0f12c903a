#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/report/run_record.h"

namespace twofour::train {

/// Runs of one report, at most.
inline constexpr size_t kMaxReportedRuns = 1000;

struct ReportOptions {
  std::vector<std::filesystem::path> runs = {};  ///< Run folders.
  std::filesystem::path html = {};               ///< report.csv (same stem) is written beside it.
  std::string baseline = {};                     ///< The group the others are compared to; empty: the first.
  std::string title = {};
  /// What sweeps know of some of `runs`, by folder: these need not be there.
  std::map<std::filesystem::path, PlannedRunRecord> planned = {};
};

/// What a report says.
struct Report {
  std::string html = {}, csv = {};
  std::vector<std::string> notes = {};  ///< Of what was left out or looks wrong, a line each; the page has them, too.
  size_t groups = 0, runs = 0;
  std::string left_out = {};  ///< "2 failed, 1 skipped": the runs that are not finished; empty where there are none.
};

/// Where the CSV file goes.
std::filesystem::path CsvPath(const ReportOptions& options);

/// Reads the runs and compares groups of them. Runs are seeds of one group when their configs, `name` included, differ
/// in nothing but `seed`, `threads` and where `initial_weights` come from. Throws Error, in one line, on a folder that
/// is no run, a run listed twice, damaged metrics, an unknown baseline, and a place where no file can be written.
Report BuildReport(FileSystem& files, const ReportOptions& options);

/// Writes both files, each in one step.
void SaveReport(FileSystem& files, const ReportOptions& options, const Report& report);

/// BuildReport and SaveReport: nothing is written where anything is wrong.
void WriteReport(FileSystem& files, const ReportOptions& options);

}  // namespace twofour::train
