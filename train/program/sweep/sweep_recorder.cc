#include "twofour/train/program/sweep/sweep_recorder.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"
#include "twofour/train/program/sweep/run_output.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

RunOutcome OutcomeOf(RunEnd::Kind kind) {
  switch (kind) {
    case RunEnd::Kind::kFinished:
      return RunOutcome::kFinished;
    case RunEnd::Kind::kFailed:
      return RunOutcome::kFailed;
    case RunEnd::Kind::kTimedOut:
      return RunOutcome::kTimedOut;
    case RunEnd::Kind::kInterrupted:
      return RunOutcome::kInterrupted;
    case RunEnd::Kind::kNotStarted:
      return RunOutcome::kNotStarted;
    case RunEnd::Kind::kSkipped:
      return RunOutcome::kSkipped;
  }
  return RunOutcome::kUnfinished;
}

/// Adds the last message of a process to the reason why it ended.
std::string WithLastWords(const std::string& reason, const PlannedRun& run, uint64_t log_from) {
  const LastWords words = FindLastWords(run.log(), log_from);
  if (words.text.empty()) return reason;
  return fmt::format("{}{}{}", reason, words.is_error ? ": " : "; its last line: ", words.text);
}

}  // namespace

SweepRecorder::SweepRecorder(FileSystem& files, fs::path folder, SweepRecord record, SweepObserver& next,
                             std::function<void(const std::string&)> warn)
    : files_(files), folder_(std::move(folder)), record_(std::move(record)), next_(next), warn_(std::move(warn)) {
  for (size_t i = 0; i < record_.runs.size(); ++i) index_[folder_ / record_.runs[i].folder] = i;
  Write();
}

void SweepRecorder::OnStart(const PlannedRun& run, bool goes_on) {
  std::error_code missing;
  const auto size = fs::file_size(run.log(), missing);
  log_from_[run.folder] = goes_on && !missing ? size : 0;
  RecordedRun& recorded = Find(run);
  recorded.outcome = RunOutcome::kUnderWay;
  recorded.reason.clear();
  Write();
  next_.OnStart(run, goes_on);
}

void SweepRecorder::OnEnd(const PlannedRun& run, const RunEnd& end, const SweepProgress& progress) {
  RecordedRun& recorded = Find(run);
  recorded.outcome = OutcomeOf(end.kind);
  recorded.reason = end.reason;
  const bool was_started = end.kind == RunEnd::Kind::kFailed || end.kind == RunEnd::Kind::kTimedOut ||
                           end.kind == RunEnd::Kind::kInterrupted;
  if (was_started) recorded.reason = WithLastWords(end.reason, run, log_from_[run.folder]);
  Write();
  next_.OnEnd(run, end, progress);
}

void SweepRecorder::OnStopped(int signal) {
  for (RecordedRun& run : record_.runs) {
    if (run.outcome != RunOutcome::kNotStarted || !run.reason.empty()) continue;
    run.reason = fmt::format("the sweep was stopped by signal {}", signal);
  }
  Write();
}

void SweepRecorder::Write() {
  try {
    WriteTextAtomically(files_, folder_ / kSweepRecordFile, ToJson(record_));
  } catch (const Error& error) {
    if (!std::exchange(warned_, true)) warn_(error.what());
  }
}

}  // namespace twofour::train
