#pragma once

#include <optional>
#include <string_view>

namespace twofour::train {

/// What became of a run.
enum class RunOutcome {
  kFinished,     ///< It has its final weights.
  kUnfinished,   ///< It has no final weights, and the reason is unknown.
  kFailed,       ///< It ended with an error or by a signal, or could not be started.
  kTimedOut,     ///< It took longer than its sweep allows.
  kInterrupted,  ///< It was asked to stop.
  kUnderWay,
  kNotStarted,
  kSkipped,  ///< A run that it needs did not finish.
};

/// "finished", "unfinished", "failed", "timed out", "interrupted", "under way", "not started", "skipped".
std::string_view NameOf(RunOutcome outcome);

/// The outcome of this name, if there is one.
std::optional<RunOutcome> OutcomeNamed(std::string_view name);

}  // namespace twofour::train
