#pragma once

#include <cstdint>
#include <string>

#include "twofour/train/program/report/report.h"

#include "sweep.pb.h"

namespace twofour::train {

/// Runs of one sweep, at most: those of the report that it ends with.
inline constexpr int64_t kMaxSweepRuns = int64_t{kMaxReportedRuns};

/// Reads, parses and checks a sweep file. The name defaults to the file's stem. Throws Error with a line
/// "source: where: what, expected ..." for every fault of the sweep itself; its runs' configs are judged by PlanSweep.
proto::Sweep LoadSweep(const std::string& path);

/// The checks of LoadSweep, for a sweep that says where it is from.
void ValidateSweep(const proto::Sweep& sweep, const std::string& source);

}  // namespace twofour::train
