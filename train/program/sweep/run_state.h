#pragma once

#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/sweep/plan.h"

namespace twofour::train {

/// How far a run got before the sweep began.
enum class RunState {
  kNew,          ///< There is no folder, or an empty one.
  kInterrupted,  ///< It can be resumed.
  kFinished,
};

/// The state of every run of a plan. Throws Error if the sweep's folder holds something and is not that of a sweep.
/// Also throws Error with a line for each folder of a run that is in the way (the first few of them): a folder of
/// another config, one whose data has changed since, or one that is not a run's.
std::vector<RunState> FindRunStates(FileSystem& files, const SweepPlan& plan);

}  // namespace twofour::train
