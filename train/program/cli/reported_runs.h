#pragma once

#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/report/report.h"

namespace twofour::train {

/// Adds the runs that the arguments of a report name. An argument is the folder of a run, the folder of a sweep, which
/// stands for all its runs, or another folder, which stands for the runs and sweeps in it, down to the third level.
/// Skips what is not a run, and a run that was added before; returns a line for each of these. If the only argument is
/// a sweep, its title and baseline are used where the options have none. Throws Error if an argument does not exist.
std::vector<std::string> FindReportedRuns(FileSystem& files, const std::vector<std::string>& arguments,
                                          ReportOptions& options);

}  // namespace twofour::train
