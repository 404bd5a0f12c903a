#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "twofour/train/program/cli/command.h"
#include "twofour/train/program/report/report.h"

namespace twofour::train {

/// `trainer sweep`: what the user asked for.
struct SweepCommandLine {
  std::string config;                 ///< --config: the sweep file
  std::vector<std::string> set = {};  ///< --set, for every run
  std::string out;                    ///< --out; empty: runs/<name>
  bool dry_run = false;
};

/// What a sweep needs from outside.
struct SweepServices {
  /// The trainer. By default this program itself, even if its file was replaced since it started.
  std::filesystem::path executable = "/proc/self/exe";
  /// Makes the report that a sweep ends with.
  std::function<void(const ReportOptions& report)> write_report;
};

/// Makes all runs of a sweep that are not finished, each as a process of its own, until the program is asked to stop,
/// and then the report. Progress, and the last lines of runs that fail, go to `out`. Returns the exit code. Throws
/// Error, before anything is written, if the sweep cannot be run.
int Sweep(const SweepCommandLine& line, const CommandContext& context, const SweepServices& services);

/// `trainer sweep`.
int RunSweepCommand(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
