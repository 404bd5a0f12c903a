#pragma once

#include <filesystem>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/report/report.h"
#include "twofour/train/program/sweep/sweep_record.h"

namespace twofour::train {

/// Adds all runs of a sweep in `folder` to a report, including those that left nothing. `at_work`: the sweep is running
/// now. If it is not, runs that are under way by the record were interrupted. Throws Error if a config in the record is
/// not valid.
void AddSweepRuns(const SweepRecord& record, const std::filesystem::path& folder, bool at_work, ReportOptions& options);

/// The variant that a report on a sweep compares with: the sweep's baseline if one of its runs is finished, or else the
/// first variant that has a finished run. Empty if no run is finished.
std::string BaselineOf(FileSystem& files, const SweepRecord& record, const std::filesystem::path& folder);

}  // namespace twofour::train
