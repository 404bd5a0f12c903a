#pragma once

#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/report/report.h"
#include "twofour/train/program/sweep/sweep_record.h"

namespace twofour::train {

/// Adds all runs of a sweep in `folder` to a report, those that left nothing as well. `at_work`: the sweep is under way
/// just now; otherwise what the record says to be under way was interrupted. Throws Error on a config in the record
/// that is not valid.
void AddSweepRuns(const SweepRecord& record, const std::filesystem::path& folder, bool at_work, ReportOptions& options);

/// The variant that a report on a sweep compares with: the sweep's baseline, or else its first variant, or where none
/// of their runs is finished the first that has a finished one. Empty where none is.
std::string BaselineOf(FileSystem& files, const SweepRecord& record, const std::filesystem::path& folder);

}  // namespace twofour::train
