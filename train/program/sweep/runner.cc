#include "twofour/train/program/sweep/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <list>
#include <memory>
#include <system_error>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/program/sweep/time_left.h"
#include "twofour/train/run_files.h"
#include "twofour/train/stop_signals.h"

namespace twofour::train {
namespace {

enum class Stage { kWaiting, kRunning, kFinished, kFailed };

/// "ended by signal 9 (Killed)"
std::string SignalWords(int signal) {
  const char* const name = strsignal(signal);
  return fmt::format("ended by signal {}{}", signal, name == nullptr ? "" : fmt::format(" ({})", name));
}

/// In words, what became of a run that another one needs.
std::string Fate(RunEnd::Kind kind) {
  switch (kind) {
    case RunEnd::Kind::kTimedOut:
      return "took too long";
    case RunEnd::Kind::kNotStarted:
      return "could not be started";
    case RunEnd::Kind::kSkipped:
      return "was skipped";
    default:
      return "failed";
  }
}

class Runner {
 public:
  Runner(const SweepPlan& plan, const std::vector<RunState>& states, const RunnerServices& services)
      : plan_(plan), states_(states), services_(services) {
    for (const RunState state : states) {
      stages_.push_back(state == RunState::kFinished ? Stage::kFinished : Stage::kWaiting);
    }
    fates_.resize(states.size());
  }

  SweepResult Run() {
    for (;;) {
      if (stopped_by_ == 0) PassSignalOn();
      EndWhatTakesTooLong();
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
    std::optional<double> asked_to_stop = {};  // When it was asked, for taking too long.
    bool killed = false;
  };

  void PassSignalOn() {
    const int signal = services_.stop_signal();
    if (signal == 0) return;
    stopped_by_ = signal;
    for (const Running& running : running_) AskToStop(*running.process, signal);
    services_.observer.OnStopping(running_.size());
  }

  /// A launcher that is asked by another signal ends its ranks a moment later, whether or not they are done.
  void AskToStop(Process& process, int signal) { process.Signal(plan_.launcher.empty() ? signal : SIGUSR1); }

  void EndWhatTakesTooLong() {
    if (plan_.seconds_per_run <= 0) return;
    const double now = services_.clock.Seconds();
    for (Running& running : running_) {
      if (!running.asked_to_stop && now - running.began > plan_.seconds_per_run) {
        running.asked_to_stop = now;
        AskToStop(*running.process, SIGTERM);
      } else if (running.asked_to_stop && !running.killed && now - *running.asked_to_stop > kSecondsToStop) {
        running.killed = true;
        running.process->Signal(SIGKILL);
      }
    }
  }

  bool EndFinishedProcesses() {
    bool changed = false;
    for (auto running = running_.begin(); running != running_.end();) {
      const std::optional<int> code = running->process->ExitCode();
      if (!code) {
        ++running;
        continue;
      }
      const Running ended = std::move(*running);
      running = running_.erase(running);
      End(ended.run, HowItEnded(ended, *code, services_.clock.Seconds() - ended.began));
      changed = true;
    }
    return changed;
  }

  RunEnd HowItEnded(const Running& ended, int code, double seconds) const {
    const bool has_model = services_.files.Exists(RunFiles{plan_.runs[ended.run].folder}.model());
    if (code == 0 && has_model) return {RunEnd::Kind::kFinished, "", seconds};
    if (ended.asked_to_stop) {
      return {RunEnd::Kind::kTimedOut,
              fmt::format(
                  "took longer than {} s{}", plan_.seconds_per_run,
                  ended.killed ? fmt::format(" and did not stop within {} s of being asked to", kSecondsToStop) : ""),
              seconds};
    }
    if (code == 0) return {RunEnd::Kind::kFailed, "ended without model.safetensors", seconds};
    if (stopped_by_ != 0 && IsStopExitCode(code)) {
      return {RunEnd::Kind::kInterrupted, fmt::format("stopped by signal {}", code - 128), seconds};
    }
    return {RunEnd::Kind::kFailed, code > 128 ? SignalWords(code - 128) : fmt::format("exit code {}", code), seconds};
  }

  bool StartWhatCan() {
    bool changed = false;
    for (size_t run = 0; run < stages_.size(); ++run) {
      if (stages_[run] != Stage::kWaiting) continue;
      const std::vector<size_t>& needs = plan_.runs[run].needs;
      const auto failed = std::ranges::find(needs, Stage::kFailed, [this](size_t need) { return stages_[need]; });
      if (failed != needs.end()) {
        End(run,
            {RunEnd::Kind::kSkipped, fmt::format("needs {}, which {}", plan_.runs[*failed].title(), fates_[*failed])});
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
      services_.observer.OnStart(planned, states_[run] == RunState::kInterrupted);
      services_.files.CreateDirectories(planned.folder.parent_path());
      std::unique_ptr<Process> process = services_.launcher.Start(Spec(run));
      running_.push_back({run, std::move(process), services_.clock.Seconds()});
      stages_[run] = Stage::kRunning;
    } catch (const Error& error) {
      End(run, {RunEnd::Kind::kNotStarted, error.what()});
    }
  }

  ProcessSpec Spec(size_t run) const {
    ProcessSpec spec{services_.executable, Arguments(run), plan_.runs[run].log(),
                     states_[run] == RunState::kInterrupted};
    if (plan_.launcher.empty()) return spec;
    // env finds the launcher as a shell would, and becomes it. /proc/self/exe would be another program there.
    std::error_code is_no_link;
    const std::filesystem::path target = std::filesystem::read_symlink(spec.executable, is_no_link);
    spec.arguments.insert(spec.arguments.begin(), (is_no_link ? spec.executable : target).string());
    spec.arguments.insert(spec.arguments.begin(), plan_.launcher.begin(), plan_.launcher.end());
    spec.executable = "/usr/bin/env";
    return spec;
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
      if (plan_.has_begun) arguments.emplace_back("--accept-idle-fields");  // As the plan does.
    }
    arguments.insert(arguments.end(), {"--threads", std::to_string(plan_.threads_per_run)});
    return arguments;
  }

  void End(size_t run, const RunEnd& end) {
    stages_[run] = end.kind == RunEnd::Kind::kFinished      ? Stage::kFinished
                   : end.kind == RunEnd::Kind::kInterrupted ? Stage::kWaiting
                                                            : Stage::kFailed;
    fates_[run] = Fate(end.kind);
    const int64_t steps = plan_.runs[run].config.training().steps();
    // Counts new runs only: how much of a resumed run was done before is not known here.
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
  std::vector<std::string> fates_;  // What became of runs that failed, in words.
  std::list<Running> running_;
  TimeLeft time_left_;
  int stopped_by_ = 0;
};

}  // namespace

SweepResult RunSweep(const SweepPlan& plan, const std::vector<RunState>& states, const RunnerServices& services) {
  return Runner(plan, states, services).Run();
}

}  // namespace twofour::train
