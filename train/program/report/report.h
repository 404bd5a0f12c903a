#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/report/run_record.h"

namespace twofour::train {

/// The largest number of runs in one report.
inline constexpr size_t kMaxReportedRuns = 1000;

struct ReportOptions {
  std::vector<std::filesystem::path> runs = {};  ///< Run folders.
  std::filesystem::path html = {};               ///< The page. The CSV file goes beside it, under the same stem.
  std::string baseline = {};                     ///< The group that others are compared to; empty: the first.
  std::string title = {};
  /// What sweeps know about some of `runs`, by folder. These folders need not exist.
  std::map<std::filesystem::path, PlannedRunRecord> planned = {};
};

/// The contents of a report.
struct Report {
  std::string html = {}, csv = {};
  std::vector<std::string> notes = {};  ///< On what was left out or looks wrong, one line each. The page has them, too.
  size_t groups = 0, runs = 0;
  std::string left_out = {};  ///< The runs that are not finished: "2 failed, 1 skipped". May be empty.
};

/// The path of the CSV file.
std::filesystem::path CsvPath(const ReportOptions& options);

/// Reads the runs and compares groups of them. Two runs are seeds of one group if their configs, `name` included,
/// differ in nothing but `seed`, `threads`, and which weights or run they start from. Throws Error, in one line, on a
/// folder that is not a run's, a run listed twice, damaged metrics, an unknown baseline, or a place where no file can
/// be written.
Report BuildReport(FileSystem& files, const ReportOptions& options);

/// Writes both files, each in one step.
void SaveReport(FileSystem& files, const ReportOptions& options, const Report& report);

/// Calls BuildReport and then SaveReport, so that nothing is written if anything is wrong.
void WriteReport(FileSystem& files, const ReportOptions& options);

}  // namespace twofour::train
