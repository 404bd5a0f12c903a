#include "twofour/train/program/cli/sweep.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <thread>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/progress.h"
#include "twofour/train/program/cli/signals.h"
#include "twofour/train/program/cli/sweep_progress.h"
#include "twofour/train/program/config/override_list.h"
#include "twofour/train/program/sweep/plan.h"
#include "twofour/train/program/sweep/run_state.h"
#include "twofour/train/program/sweep/runner.h"
#include "twofour/train/program/sweep/sweep_config.h"
#include "twofour/train/program/sweep/sweep_lock.h"
#include "twofour/train/program/sweep/sweep_record.h"
#include "twofour/train/program/sweep/sweep_recorder.h"
#include "twofour/train/program/sweep/sweep_report.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFooter = R"(
Examples:
  trainer sweep --config configs/experiments/schedules.pbtxt --dry-run
  trainer sweep --config configs/experiments/schedules.pbtxt

Runs are written to runs/<name>/<variant>/seed-<seed>, what each prints to seed-<seed>.log beside it, and the report on
all of them, those that failed and why, to runs/<name>/report.html and report.csv. Started again, a sweep makes what is
not finished yet. The fields of a sweep file are described in train/program/sweep.proto.
Exit codes: 0 done; 1 a run failed; 2 bad argument, config or file; 128+N ended by signal N.
HUP, INT, TERM, USR1, USR2, XCPU, ALRM and PWR end the runs under way, with checkpoints; the same
again, half a second later or more, at once (but not XCPU, which the kernel repeats).)";

/// "1 run", "2 runs".
std::string Count(size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// Throws Error if the plan's launcher is no program. Words that env, which starts it, takes for itself come before it.
void RequireLauncher(const SweepPlan& plan) {
  const auto program = std::ranges::find_if(plan.launcher, [](const std::string& word) {
    return !word.starts_with('-') && word.find('=') == std::string::npos;
  });
  if (program == plan.launcher.end() || ProgramExists(*program)) return;
  throw Error(fmt::format("{}: launcher: {}, expected a program that exists", plan.name, QuoteForMessage(*program)));
}

void PrintPlan(const SweepPlan& plan, const std::vector<RunState>& states, std::ostream& out) {
  const auto count = [&](RunState state) { return std::ranges::count(states, state); };
  out << fmt::format("{}: {}: {} finished, {} to go on with, {} to start; {} at once{}", plan.name,
                     Count(plan.runs.size(), "run"), count(RunState::kFinished), count(RunState::kInterrupted),
                     count(RunState::kNew), plan.parallel_runs,
                     plan.threads_per_run > 0
                         ? fmt::format(", {} each", Count(static_cast<size_t>(plan.threads_per_run), "thread"))
                         : "")
      << std::endl;
}

std::string Describe(const SweepPlan& plan, const PlannedRun& run, RunState state) {
  if (state == RunState::kFinished) return "finished";
  std::vector<std::string> waits_for;
  for (const size_t need : run.needs) waits_for.push_back(plan.runs[need].title());
  return fmt::format("{}{}", state == RunState::kInterrupted ? "to go on with" : "to start",
                     waits_for.empty() ? "" : fmt::format(" after {}", fmt::join(waits_for, " and ")));
}

void PrintRuns(const SweepPlan& plan, const std::vector<RunState>& states, std::ostream& out) {
  size_t width = 0;
  for (const PlannedRun& run : plan.runs) width = std::max(width, run.title().size());
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const PlannedRun& run = plan.runs[i];
    out << fmt::format("  {:<{}}  {}  {}\n", run.title(), width, run.folder.string(), Describe(plan, run, states[i]));
  }
}

/// Makes the report on all runs of the sweep. Returns false if that failed, which does not affect the runs.
bool MakeReport(const SweepPlan& plan, const SweepRecord& record, const SweepServices& services,
                const CommandContext& context) {
  if (!services.write_report) return true;
  FileSystem& files = FileSystem::Default();
  ReportOptions report{.html = plan.folder / "report.html", .title = plan.name};
  try {
    AddSweepRuns(record, plan.folder, /*at_work=*/false, report);
    report.baseline = BaselineOf(files, record, plan.folder);
    if (!plan.baseline.empty() && !report.baseline.empty() && report.baseline != plan.baseline) {
      context.out << fmt::format(
          "no run of baseline '{}' is finished: the report compares with the first variant that is\n", plan.baseline);
    }
    services.write_report(report);
  } catch (const Error& error) {
    context.err << "trainer: report: " << error.what() << std::endl;
    return false;
  }
  for (const fs::path& path : {report.html, CsvPath(report)}) {
    if (fs::exists(path)) context.out << fmt::format("report: {}\n", path.string());
  }
  return true;
}

/// The record that an earlier start left in the folder. Nothing if there is none or it cannot be read.
std::optional<SweepRecord> EarlierRecord(FileSystem& files, const fs::path& folder, std::ostream& err) {
  try {
    return LoadSweepRecord(files, folder);
  } catch (const Error& error) {
    PrintNotes({fmt::format("{}; it is written anew", error.what())}, err);
    return std::nullopt;
  }
}

}  // namespace

int RunSweepCommand(int argc, const char* const* argv, const CommandContext& context) {
  SweepCommandLine line;
  Arguments arguments("sweep");
  arguments.SetFooter(kFooter);
  arguments.Add("--config", line.config, "Sweep file (protobuf text)").Type("FILE").Required();
  arguments.Add("--set", line.set, "Set a config field in every run, after the sweep file's own; may repeat")
      .Type("PATH=VALUE")
      .Repeatable();
  arguments.Add("--out", line.out, "Folder of the runs and the report (default: runs/<name>)").Type("DIR");
  arguments.AddFlag("--dry-run", line.dry_run, "Check everything and list the runs, then stop");
  if (!arguments.Parse(argc, argv, 1, context.out)) return 0;
  const OutlivesReaders until_the_end;
  const SweepServices services{.write_report = [&context](const ReportOptions& options) {
    const Report report = BuildReport(FileSystem::Default(), options);
    SaveReport(FileSystem::Default(), options, report);
    PrintNotes(report.notes, context.err);
  }};
  return Sweep(line, context, services);
}

int Sweep(const SweepCommandLine& line, const CommandContext& context, const SweepServices& services) {
  std::ostream& out = context.out;
  const StopRequest& stop = context.stop;
  proto::Sweep sweep = LoadSweep(line.config);
  for (const std::string& assignment : line.set) sweep.add_set(assignment);
  const SweepPlan plan = PlanSweep(sweep, line.config, FolderPath(line.out), line.set.size());
  RequireLauncher(plan);
  PrintNotes(NoteOverrides(line.set), context.err);
  FileSystem& files = FileSystem::Default();
  if (!plan.has_begun) RequireInNoRun(files, plan.runs.front().folder);
  std::vector<RunState> states = FindRunStates(files, plan);
  PrintPlan(plan, states, out);
  if (line.dry_run) {
    PrintRuns(plan, states, out);
    out << "dry run: everything checked, nothing written\n";
    return 0;
  }
  files.CreateDirectories(plan.folder);
  const SweepLock lock(files, plan.folder);
  if (!lock.supported()) {
    PrintNotes({fmt::format("{}: its file system has no locks, so nothing keeps a second sweep out of this folder: no "
                            "two may share it",
                            plan.folder.string())},
               context.err);
  }
  states = FindRunStates(files, plan);  // Another sweep could have been at work here until now.
  const double began = Clock::Default().Seconds();
  SweepProgressPrinter progress(plan.runs.size(), out);
  SweepRecorder recorder(files, plan.folder, BeginRecord(plan, states, EarlierRecord(files, plan.folder, context.err)),
                         progress,
                         [&context](const std::string& note) { context.err << "note: " << note << std::endl; });
  const SweepResult result =
      RunSweep(plan, states,
               {.files = files,
                .launcher = ProcessLauncher::Default(),
                .clock = Clock::Default(),
                .observer = recorder,
                .executable = services.executable,
                .stop_signal = [&stop] { return stop.stop ? stop.signal.load() : 0; },
                .wait_a_while = [] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }});
  if (result.stopped_by != 0) {
    recorder.OnStopped(result.stopped_by);
    out << fmt::format("stopped with {} of {} runs finished; go on with: trainer sweep --config {}{}{}\n",
                       result.finished.size(), plan.runs.size(), line.config,
                       line.out.empty() ? "" : " --out " + line.out, line.set.empty() ? "" : " and the same --set");
    MakeReport(plan, recorder.record(), services, context);
    return 128 + result.stopped_by;
  }
  out << fmt::format("{} of {} runs finished, in {}\n", result.finished.size(), plan.runs.size(),
                     FormatDuration(Clock::Default().Seconds() - began));
  const bool reported = MakeReport(plan, recorder.record(), services, context);
  if (result.failed.empty()) return reported ? 0 : 1;
  std::vector<std::string> titles;
  for (const size_t run : result.failed) titles.push_back(plan.runs[run].title());
  context.err << fmt::format("trainer: {} of {} runs are not finished: {}", titles.size(), plan.runs.size(),
                             fmt::join(titles, "; "))
              << std::endl;
  return 1;
}

}  // namespace twofour::train
