#pragma once

#include <cstdint>
#include <optional>

#include "twofour/train/program/report/run_record.h"

namespace twofour::train {

/// The seconds of training up to `step`: the last recorded ones and, for steps after them, what the recorded speeds
/// say. A speed is that of the steps since the record before; steps after the last speed count at that speed. Nothing
/// if there are no speeds for steps that need them.
std::optional<double> TrainingSecondsAt(const RunRecord& run, int64_t step);

}  // namespace twofour::train
