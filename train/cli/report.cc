#include "twofour/train/cli/report.h"

#include <fmt/format.h>

#include <ostream>
#include <string>

#include <CLI/CLI.hpp>

#include "twofour/core/error.h"

namespace twofour::train {

std::optional<ReportOptions> ParseReportCommandLine(int argc, const char* const* argv, std::ostream& out) {
  ReportOptions options;
  CLI::App app("Compares runs: tables, charts and intervals over seeds in one HTML file, and a CSV file beside it.",
               "trainer report");
  std::vector<std::string> runs;
  std::string html = "report.html";
  app.add_option("RUN", runs, "Run folders; those whose configs differ in nothing but the seed are one group")
      ->required();
  app.add_option("--out", html, "The page; the table goes to the same name with .csv")
      ->type_name("FILE.html")
      ->capture_default_str();
  app.add_option("--baseline", options.baseline, "The group that others are compared to (default: the first run's)")
      ->type_name("NAME");
  app.add_option("--title", options.title, "The page's heading")->type_name("TEXT");
  try {
    app.parse(argc - 1, argv + 1);
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw Error(fmt::format("{} (see trainer report --help)", error.what()));
  }
  options.runs.assign(runs.begin(), runs.end());
  options.html = html;
  return options;
}

int RunReport(const ReportOptions& options, std::ostream& out, std::ostream& err) {
  FileSystem& files = FileSystem::Default();
  const Report report = BuildReport(files, options);
  SaveReport(files, options, report);
  for (const std::string& note : report.notes) err << "note: " << note << "\n";
  const std::string unfinished =
      report.unfinished == 0 ? "" : fmt::format(", {} unfinished and left out of the statistics", report.unfinished);
  out << fmt::format("{} run{} in {} group{}{}\n{}\n{}\n", report.runs, report.runs == 1 ? "" : "s", report.groups,
                     report.groups == 1 ? "" : "s", unfinished, options.html.string(), CsvPath(options).string());
  return 0;
}

}  // namespace twofour::train
