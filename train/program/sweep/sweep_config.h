#pragma once

#include <cstdint>
#include <string>

#include "twofour/train/program/report/report.h"

#include "sweep.pb.h"

namespace twofour::train {

/// The largest number of runs in a sweep: as many as the report that it ends with can hold.
inline constexpr int64_t kMaxSweepRuns = int64_t{kMaxReportedRuns};

/// Reads, parses and checks a sweep file. The name defaults to the file's stem. Throws Error with a line "source:
/// where: what, expected ..." for every fault of the sweep itself. PlanSweep checks the configs of its runs.
proto::Sweep LoadSweep(const std::string& path);

/// The checks of LoadSweep. `source` says in messages where the sweep is from.
void ValidateSweep(const proto::Sweep& sweep, const std::string& source);

}  // namespace twofour::train
