#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/clock.h"
#include "twofour/train/sweep/plan.h"
#include "twofour/train/sweep/process.h"
#include "twofour/train/sweep/run_state.h"

namespace twofour::train {

/// How one run ended.
struct RunEnd {
  enum class Kind {
    kFinished,
    kFailed,
    kInterrupted,  ///< Asked to stop, it did.
    kNotStarted,   ///< It needs a run that failed, or could not be started.
  };
  Kind kind = Kind::kFinished;
  std::string reason;  ///< In words, where it is not finished.
  double seconds = 0;  ///< That it was under way.
};

/// Where a sweep stands after a run ended.
struct SweepProgress {
  size_t ended = 0;  ///< Of all runs, finished before or now, or failed.
  std::optional<double> seconds_left;
};

/// Is told what happens.
class SweepObserver {
 public:
  virtual ~SweepObserver() = default;
  virtual void OnEnd(const PlannedRun& run, const RunEnd& end, const SweepProgress& progress) = 0;
  /// Nothing is started any more; so many runs have been asked to stop.
  virtual void OnStopping(size_t running) = 0;
};

/// What running needs of the outside.
struct RunnerServices {
  FileSystem& files;
  ProcessLauncher& launcher;
  const Clock& clock;
  SweepObserver& observer;
  std::filesystem::path executable;    ///< The trainer.
  std::function<int()> stop_signal;    ///< The signal that asks for an end; 0: none.
  std::function<void()> wait_a_while;  ///< Between two looks at the processes.
};

/// What became of a sweep.
struct SweepResult {
  std::vector<size_t> finished, failed;  ///< Runs, as indices into the plan's.
  int stopped_by = 0;                    ///< The signal, or 0.
};

/// Runs all that is not finished, in the plan's order, each as a process of its own as soon as what it needs is done
/// and one of plan.parallel_runs places is free. A run that fails takes those with it that need it. Asked to stop,
/// passes the signal on and waits for what is under way.
SweepResult RunSweep(const SweepPlan& plan, const std::vector<RunState>& states, const RunnerServices& services);

}  // namespace twofour::train
