#include "twofour/train/program/report/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <set>

#include "twofour/train/program/report/html.h"
#include "twofour/train/program/report/run_summary.h"

namespace twofour::train {

std::string CsvText(const std::string& text) {
  std::string clean = ReplaceUnwanted(text);
  if (!clean.empty() && std::string_view("=+-@\t\r\n").find(clean.front()) != std::string_view::npos)
    clean = "'" + clean;
  std::string quoted;
  for (const char c : clean) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return '"' + quoted + '"';
}

std::string CsvNumber(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? fmt::format("{}", *value) : std::string();
}

std::string RunsAsCsv(const std::vector<RunGroup>& groups) {
  std::set<std::string> details;
  for (const RunGroup& group : groups) {
    for (const RunRecord& run : group.runs) {
      for (const auto& [name, curve] : run.eval_details) details.insert(name);
    }
  }
  std::string csv = "group,seed,finished,steps,planned_steps,final_eval_loss,best_eval_loss,first_eval_loss,";
  for (const std::string& name : details) csv += CsvText("final_" + name) + ",";
  csv +=
      "final_train_loss,final_sparsity,mean_flip_rate,unit,units_per_s,training_seconds,pruning_method,pruning_pattern,"
      "pruning_sparsity,pruning_loss_before,pruning_loss_after,torn_line,folder,state,reason\n";
  for (const RunGroup& group : groups) {
    for (const RunRecord& run : group.runs) {
      const RunSummary summary = SummariseRun(run);
      std::vector<std::string> cells = {CsvText(group.label),
                                        std::to_string(run.config.seed()),
                                        run.finished ? "yes" : "no",
                                        std::to_string(run.steps),
                                        std::to_string(run.config.training().steps()),
                                        CsvNumber(summary.final_eval_loss),
                                        CsvNumber(summary.best_eval_loss),
                                        CsvNumber(summary.first_eval_loss)};
      for (const std::string& name : details) {
        const auto found = summary.final_details.find(name);
        cells.push_back(found == summary.final_details.end() ? "" : CsvNumber(found->second));
      }
      const auto& pruning = run.pruning;
      for (const std::string& cell :
           {CsvNumber(summary.final_train_loss), CsvNumber(summary.final_sparsity), CsvNumber(summary.mean_flip_rate),
            run.unit, CsvNumber(summary.units_per_s), CsvNumber(summary.training_seconds),
            pruning ? CsvText(pruning->method) : "", pruning ? CsvText(pruning->pattern) : "",
            pruning ? CsvNumber(pruning->sparsity) : "", pruning ? CsvNumber(pruning->loss_before) : "",
            pruning ? CsvNumber(pruning->loss_after) : "", run.torn_line ? std::to_string(*run.torn_line) : "",
            CsvText(run.folder.string()), std::string(NameOf(run.finished ? RunOutcome::kFinished : run.outcome)),
            CsvText(run.reason)}) {
        cells.push_back(cell);
      }
      csv += fmt::format("{}\n", fmt::join(cells, ","));
    }
  }
  return csv;
}

}  // namespace twofour::train
