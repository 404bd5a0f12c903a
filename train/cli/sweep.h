#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "twofour/train/cli/app.h"

namespace twofour::train {

/// `trainer sweep`: what the user asked for.
struct SweepCommandLine {
  std::string config;  ///< --config: the sweep file
  std::string out;     ///< --out; empty: runs/<name>
  bool dry_run = false;
};

/// Parses the arguments, of which the first is "sweep". Nothing when help was printed to `out`. Throws Error on an
/// unknown or malformed argument.
std::optional<SweepCommandLine> ParseSweepCommandLine(int argc, const char* const* argv, std::ostream& out);

/// What a sweep ends with: a report on runs, written to `html` and, as a table, to report.csv beside it.
struct SweepReport {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path html;
  std::string baseline;  ///< Empty: none.
  std::string title;
};

/// What a sweep needs of the outside.
struct SweepServices {
  /// The trainer. By default this very program, even where its file was replaced since it started.
  std::filesystem::path executable = "/proc/self/exe";
  std::function<void(const SweepReport& report)> write_report;
};

/// The services of the program.
SweepServices DefaultSweepServices();

/// Makes every run of a sweep that is not finished, each as a process of its own, until `stop` says otherwise, and then
/// the report. Progress, and the last lines of runs that fail, go to `out`. Returns the exit code. Throws Error, before
/// anything is written, on a sweep that cannot be run.
int Sweep(const SweepCommandLine& line, std::ostream& out, std::ostream& err, const StopRequest& stop,
          const SweepServices& services);

}  // namespace twofour::train
