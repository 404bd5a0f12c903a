#include "twofour/train/program/cli/report.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/reported_runs.h"
#include "twofour/train/program/cli/signals.h"
#include "twofour/train/program/report/report.h"

namespace twofour::train {

namespace {

std::optional<ReportOptions> Parse(int argc, const char* const* argv, const CommandContext& context) {
  ReportOptions options;
  Arguments arguments("report");
  std::vector<std::string> runs;
  std::string html = "report.html";
  arguments
      .Add("RUN", runs,
           "Run folders, and folders of sweeps and of runs; runs whose configs differ in nothing but the seed are one "
           "group. Other folders and files are skipped")
      .Required();
  arguments.Add("--out", html, "The page; the table goes to the same name with .csv").Type("FILE.html").ShowDefault();
  arguments.Add("--baseline", options.baseline, "The group that others are compared to (default: the first run's)")
      .Type("NAME");
  arguments.Add("--title", options.title, "The page's heading").Type("TEXT");
  if (!arguments.Parse(argc, argv, 1, context.out)) return std::nullopt;
  options.html = html;
  PrintNotes(FindReportedRuns(FileSystem::Default(), runs, options), context.err);
  if (options.runs.empty()) throw Error("no runs to report on: nothing that was named is a run");
  return options;
}

}  // namespace

int RunReport(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<ReportOptions> options = Parse(argc, argv, context);
  if (!options) return 0;
  const OutlivesReaders until_the_end;
  FileSystem& files = FileSystem::Default();
  const Report report = BuildReport(files, *options);
  if (context.stop.stop) {
    context.out << "stopped: no report was written\n";
    return 128 + context.stop.signal;
  }
  SaveReport(files, *options, report);
  PrintNotes(report.notes, context.err);
  const std::string unfinished =
      report.left_out.empty() ? "" : fmt::format(", {} and left out of the statistics", report.left_out);
  context.out << fmt::format("{} run{} in {} group{}{}\n{}\n{}\n", report.runs, report.runs == 1 ? "" : "s",
                             report.groups, report.groups == 1 ? "" : "s", unfinished, options->html.string(),
                             CsvPath(*options).string());
  return 0;
}

}  // namespace twofour::train
