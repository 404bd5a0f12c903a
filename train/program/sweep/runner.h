#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/clock.h"
#include "twofour/train/program/sweep/plan.h"
#include "twofour/train/program/sweep/process.h"
#include "twofour/train/program/sweep/run_state.h"

namespace twofour::train {

/// How one run ended.
struct RunEnd {
  enum class Kind {
    kFinished,
    kFailed,
    kTimedOut,     ///< It took longer than plan.seconds_per_run.
    kInterrupted,  ///< Asked to stop, it did.
    kNotStarted,   ///< It could not be started.
    kSkipped,      ///< It needs a run that did not finish.
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
  /// A run is about to be started; `goes_on` where it is one that was interrupted.
  virtual void OnStart(const PlannedRun& /*run*/, bool /*goes_on*/) {}
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

/// How long a run that took too long has from SIGTERM to SIGKILL.
inline constexpr double kSecondsToStop = 60;

/// Runs all that is not finished, in the plan's order, each as a process of its own as soon as what it needs is done
/// and one of plan.parallel_runs places is free. A run that fails takes those with it that need it, and one that takes
/// longer than plan.seconds_per_run is ended. Asked to stop, passes the signal on and waits for what is under way.
SweepResult RunSweep(const SweepPlan& plan, const std::vector<RunState>& states, const RunnerServices& services);

}  // namespace twofour::train
