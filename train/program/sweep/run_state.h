#pragma once

#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/sweep/plan.h"

namespace twofour::train {

/// How far a run got before the sweep began.
enum class RunState {
  kNew,          ///< There is no folder, or an empty one.
  kInterrupted,  ///< It can be gone on with.
  kFinished,
};

/// The state of every run of a plan. Throws Error with a line for every folder that is in the way: one that belongs to
/// another config, whose data has changed since, or that is no run's at all.
std::vector<RunState> FindRunStates(FileSystem& files, const SweepPlan& plan);

}  // namespace twofour::train
