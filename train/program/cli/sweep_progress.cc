#include "twofour/train/program/cli/sweep_progress.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>
#include <string>

#include "twofour/train/program/cli/progress.h"
#include "twofour/train/program/sweep/run_output.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

constexpr size_t kLinesOfAFailure = 5;

std::string Finished(const PlannedRun& run, const RunEnd& end) {
  const std::optional<double> loss = LastEvaluationLoss(RunFiles{run.folder}.metrics());
  return fmt::format("{} in {}", loss ? fmt::format("evaluation loss {:.4f}", *loss) : "finished",
                     FormatDuration(end.seconds));
}

std::string Words(const PlannedRun& run, const RunEnd& end) {
  switch (end.kind) {
    case RunEnd::Kind::kFinished:
      return Finished(run, end);
    case RunEnd::Kind::kFailed:
      return fmt::format("failed after {}: {}; the end of {}:", FormatDuration(end.seconds), end.reason,
                         run.log().string());
    case RunEnd::Kind::kTimedOut:
      return fmt::format("ended after {}: {}", FormatDuration(end.seconds), end.reason);
    case RunEnd::Kind::kSkipped:
      return fmt::format("skipped: {}", end.reason);
    case RunEnd::Kind::kInterrupted:
      return fmt::format("{} after {}", end.reason, FormatDuration(end.seconds));
    case RunEnd::Kind::kNotStarted:
      return fmt::format("not started: {}", end.reason);
  }
  return "";
}

}  // namespace

void SweepProgressPrinter::OnEnd(const PlannedRun& run, const RunEnd& end, const SweepProgress& progress) {
  out_ << fmt::format("[{}/{}] {}: {}", progress.ended, runs_, run.title(), Words(run, end));
  const bool goes_on = end.kind == RunEnd::Kind::kFinished && progress.seconds_left;
  if (goes_on) out_ << fmt::format(", {} left", FormatDuration(*progress.seconds_left));
  out_ << std::endl;
  if (end.kind != RunEnd::Kind::kFailed) return;
  for (const std::string& line : LastLines(run.log(), kLinesOfAFailure)) out_ << "    " << line << std::endl;
}

void SweepProgressPrinter::OnStopping(size_t running) {
  if (running == 0) return;
  out_ << fmt::format("stopping: waiting for {} to write a checkpoint; a second signal ends everything at once",
                      running == 1 ? "1 run" : fmt::format("{} runs", running))
       << std::endl;
}

}  // namespace twofour::train
