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

/// What a sweep needs of the outside.
struct SweepServices {
  /// The trainer. By default this very program, even where its file was replaced since it started.
  std::filesystem::path executable = "/proc/self/exe";
  /// Makes the report that a sweep ends with.
  std::function<void(const ReportOptions& report)> write_report;
};

/// Makes every run of a sweep that is not finished, each as a process of its own, until `stop` says otherwise, and then
/// the report. Progress, and the last lines of runs that fail, go to `out`. Returns the exit code. Throws Error, before
/// anything is written, on a sweep that cannot be run.
int Sweep(const SweepCommandLine& line, const CommandContext& context, const SweepServices& services);

/// `trainer sweep`.
int RunSweepCommand(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
