#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/train/program/report/report.h"

#include "sweep.pb.h"

namespace twofour::train {

/// The largest number of runs in a sweep: as many as the report that it ends with can hold.
inline constexpr int64_t kMaxSweepRuns = int64_t{kMaxReportedRuns};

/// Reads and parses a sweep file. The name defaults to the file's stem. Throws Error if it is no sweep file. PlanSweep
/// checks what it says.
proto::Sweep LoadSweep(const std::string& path);

/// What is wrong with a sweep itself, whatever its base config is.
struct SweepFaults {
  std::vector<std::string> lines = {};  ///< "source: where: what, expected ..."
  bool has_variants = true;             ///< Whether SweepVariants can be made all the same.
};
/// `source` says in messages where the sweep is from.
SweepFaults FindSweepFaults(const proto::Sweep& sweep, const std::string& source);

/// Throws Error if there are such faults.
void ValidateSweep(const proto::Sweep& sweep, const std::string& source);

}  // namespace twofour::train
