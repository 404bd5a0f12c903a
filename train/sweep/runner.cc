#include "twofour/train/sweep/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <memory>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/run_files.h"
#include "twofour/train/stop_signals.h"
#include "twofour/train/sweep/time_left.h"

namespace twofour::train {
namespace {

enum class Stage { kWaiting, kRunning, kFinished, kFailed };

class Runner {
 public:
  Runner(const SweepPlan& plan, const std::vector<RunState>& states, const RunnerServices& services)
      : plan_(plan), states_(states), services_(services) {
    for (const RunState state : states) {
      stages_.push_back(state == RunState::kFinished ? Stage::kFinished : Stage::kWaiting);
    }
  }

  SweepResult Run() {
    for (;;) {
      if (stopped_by_ == 0) PassSignalOn();
      bool changed = EndFinishedProcesses();
      if (stopped_by_ == 0) changed |= StartWhatCan();
      if (changed) continue;
      if (running_.empty()) break;
      services_.wait_a_while();
    }
    SweepResult result{{}, {}, stopped_by_};
    for (size_t run = 0; run < stages_.size(); ++run) {
      if (stages_[run] == Stage::kFinished) result.finished.push_back(run);
      if (stages_[run] == Stage::kFailed) result.failed.push_back(run);
    }
    return result;
  }

 private:
  struct Running {
    size_t run;
    std::unique_ptr<Process> process;
    double began;
  };

  void PassSignalOn() {
    const int signal = services_.stop_signal();
    if (signal == 0) return;
    stopped_by_ = signal;
    for (const Running& running : running_) running.process->Signal(signal);
    services_.observer.OnStopping(running_.size());
  }

  bool EndFinishedProcesses() {
    bool changed = false;
    for (auto running = running_.begin(); running != running_.end();) {
      const std::optional<int> code = running->process->ExitCode();
      if (!code) {
        ++running;
        continue;
      }
      const size_t run = running->run;
      const double seconds = services_.clock.Seconds() - running->began;
      running = running_.erase(running);
      End(run, HowItEnded(run, *code, seconds));
      changed = true;
    }
    return changed;
  }

  RunEnd HowItEnded(size_t run, int code, double seconds) const {
    if (code == 0 && services_.files.Exists(RunFiles{plan_.runs[run].folder}.model())) {
      return {RunEnd::Kind::kFinished, "", seconds};
    }
    if (code == 0) return {RunEnd::Kind::kFailed, "ended without model.safetensors", seconds};
    if (stopped_by_ != 0 && IsStopExitCode(code)) return {RunEnd::Kind::kInterrupted, "stopped", seconds};
    return {RunEnd::Kind::kFailed,
            code > 128 ? fmt::format("ended by signal {}", code - 128) : fmt::format("exit code {}", code), seconds};
  }

  bool StartWhatCan() {
    bool changed = false;
    for (size_t run = 0; run < stages_.size(); ++run) {
      if (stages_[run] != Stage::kWaiting) continue;
      const std::vector<size_t>& needs = plan_.runs[run].needs;
      const auto failed = std::ranges::find(needs, Stage::kFailed, [this](size_t need) { return stages_[need]; });
      if (failed != needs.end()) {
        End(run, {RunEnd::Kind::kNotStarted, fmt::format("needs {}, which failed", plan_.runs[*failed].title())});
        changed = true;
      } else if (std::ssize(running_) < plan_.parallel_runs &&
                 std::ranges::all_of(needs, [this](size_t need) { return stages_[need] == Stage::kFinished; })) {
        Start(run);
        changed = true;
      }
    }
    return changed;
  }

  void Start(size_t run) {
    const PlannedRun& planned = plan_.runs[run];
    try {
      services_.files.CreateDirectories(planned.folder.parent_path());
      std::unique_ptr<Process> process = services_.launcher.Start(
          {services_.executable, Arguments(run), planned.log(), states_[run] == RunState::kInterrupted});
      running_.push_back({run, std::move(process), services_.clock.Seconds()});
      stages_[run] = Stage::kRunning;
    } catch (const Error& error) {
      End(run, {RunEnd::Kind::kNotStarted, error.what()});
    }
  }

  std::vector<std::string> Arguments(size_t run) const {
    const PlannedRun& planned = plan_.runs[run];
    std::vector<std::string> arguments;
    if (states_[run] == RunState::kInterrupted) {
      arguments = {"--resume", planned.folder.string()};
    } else {
      arguments = {"--config", plan_.base.string(),         "--out", planned.folder.string(),
                   "--seed",   std::to_string(planned.seed)};
      for (const std::string& assignment : planned.set) arguments.insert(arguments.end(), {"--set", assignment});
    }
    arguments.insert(arguments.end(), {"--threads", std::to_string(plan_.threads_per_run)});
    return arguments;
  }

  void End(size_t run, const RunEnd& end) {
    stages_[run] = end.kind == RunEnd::Kind::kFinished      ? Stage::kFinished
                   : end.kind == RunEnd::Kind::kInterrupted ? Stage::kWaiting
                                                            : Stage::kFailed;
    const int64_t steps = plan_.runs[run].config.training().steps();
    // How much of a resumed run was done before is not known here.
    if (end.kind == RunEnd::Kind::kFinished && states_[run] == RunState::kNew) time_left_.Add(steps, end.seconds);
    services_.observer.OnEnd(plan_.runs[run], end, Progress());
  }

  SweepProgress Progress() const {
    SweepProgress progress;
    std::vector<RunToCome> to_come;
    for (size_t run = 0; run < stages_.size(); ++run) {
      if (stages_[run] == Stage::kFinished || stages_[run] == Stage::kFailed) ++progress.ended;
      if (stages_[run] == Stage::kWaiting) to_come.push_back({plan_.runs[run].config.training().steps(), 0});
    }
    for (const Running& running : running_) {
      to_come.push_back({plan_.runs[running.run].config.training().steps(), services_.clock.Seconds() - running.began});
    }
    if (!to_come.empty()) progress.seconds_left = time_left_.Estimate(to_come, plan_.parallel_runs);
    return progress;
  }

  const SweepPlan& plan_;
  const std::vector<RunState>& states_;
  const RunnerServices& services_;
  std::vector<Stage> stages_;
  std::list<Running> running_;
  TimeLeft time_left_;
  int stopped_by_ = 0;
};

}  // namespace

SweepResult RunSweep(const SweepPlan& plan, const std::vector<RunState>& states, const RunnerServices& services) {
  return Runner(plan, states, services).Run();
}

}  // namespace twofour::train
