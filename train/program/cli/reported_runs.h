#pragma once

#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/report/report.h"

namespace twofour::train {

/// Adds the runs that `arguments` of a report name: runs' folders; of a sweep's folder all its runs; of another folder
/// the runs and sweeps in it, down to the third level. What is no run is skipped, and a run that is met twice counts
/// once; returns a line for each. The title and the baseline of a sweep that is the only argument are taken over where
/// the options have none. Throws Error on what does not exist.
std::vector<std::string> FindReportedRuns(FileSystem& files, const std::vector<std::string>& arguments,
                                          ReportOptions& options);

}  // namespace twofour::train
