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
    kInterrupted,  ///< It was asked to stop, and did.
    kNotStarted,   ///< It could not be started.
    kSkipped,      ///< It needs a run that did not finish.
  };
  Kind kind = Kind::kFinished;
  std::string reason;  ///< In words, if it is not finished.
  double seconds = 0;  ///< How long it was under way.
};

/// Where a sweep stands after a run ended.
struct SweepProgress {
  size_t ended = 0;  ///< Runs that are finished, before or now, or failed.
  std::optional<double> seconds_left;
};

/// Receives the events of a sweep.
class SweepObserver {
 public:
  virtual ~SweepObserver() = default;
  /// A run is about to be started. `goes_on`: it was interrupted and is now resumed.
  virtual void OnStart(const PlannedRun& /*run*/, bool /*goes_on*/) {}
  virtual void OnEnd(const PlannedRun& run, const RunEnd& end, const SweepProgress& progress) = 0;
  /// No more runs are started, and the `running` runs that are under way have been asked to stop.
  virtual void OnStopping(size_t running) = 0;
};

/// What a runner needs from outside.
struct RunnerServices {
  FileSystem& files;
  ProcessLauncher& launcher;
  const Clock& clock;
  SweepObserver& observer;
  std::filesystem::path executable;    ///< The trainer.
  std::function<int()> stop_signal;    ///< Returns the signal that asks for an end; 0: none.
  std::function<void()> wait_a_while;  ///< Called between two checks of the processes.
};

/// What became of a sweep.
struct SweepResult {
  std::vector<size_t> finished, failed;  ///< Indices of runs in the plan.
  int stopped_by = 0;                    ///< The signal that stopped it, or 0.
};

/// Seconds between SIGTERM and SIGKILL for a run that took too long.
inline constexpr double kSecondsToStop = 60;

/// Runs everything that is not finished, in the plan's order. Each run is a process of its own and starts as soon as
/// what it needs is done and one of plan.parallel_runs places is free. If a run fails, those that need it are skipped.
/// A run that takes longer than plan.seconds_per_run is ended. If asked to stop, passes the signal on and waits for the
/// runs that are under way.
SweepResult RunSweep(const SweepPlan& plan, const std::vector<RunState>& states, const RunnerServices& services);

}  // namespace twofour::train
