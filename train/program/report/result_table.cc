#include "twofour/train/program/report/result_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "twofour/train/program/report/html.h"
#include "twofour/train/program/report/number_text.h"
#include "twofour/train/program/report/run_summary.h"
#include "twofour/train/program/report/statistics.h"

namespace twofour::train {
namespace {

using Getter = std::function<std::optional<double>(const RunSummary&)>;
using Summaries = std::vector<std::vector<RunSummary>>;

/// The column for a detail of an evaluation. A detail that is not known here gets its name alone.
ResultColumn DetailColumn(const std::string& name) {
  if (name == "accuracy") return {.title = "Accuracy", .hint = "share, larger is better", .better = Better::kLarger};
  if (name == "rmse" || name == "mae") {
    return {.title = name == "rmse" ? "RMSE" : "MAE", .hint = "smaller is better", .better = Better::kSmaller};
  }
  if (name == "r2") return {.title = "R\u00b2", .hint = "at most 1, larger is better", .better = Better::kLarger};
  if (name == "perplexity") return {.title = "Perplexity", .hint = "smaller is better", .better = Better::kSmaller};
  if (name == "bits_per_byte")
    return {.title = "Bits per byte", .hint = "smaller is better", .better = Better::kSmaller};
  return {.title = Shortened(name, 30), .hint = ""};
}

void AddColumn(ResultColumn column, const Summaries& summaries, const Getter& get, std::vector<ResultColumn>& columns) {
  bool any = false;
  for (const std::vector<RunSummary>& group : summaries) {
    std::vector<double>& values = column.values.emplace_back();
    for (const RunSummary& run : group) {
      if (const std::optional<double> value = get(run)) values.push_back(*value);
    }
    any = any || !values.empty();
  }
  if (any) columns.push_back(std::move(column));
}

/// The groups whose mean is the best; none if there is nothing to compare.
std::set<size_t> BestOf(const ResultColumn& column) {
  std::set<size_t> best;
  size_t compared = 0;
  double best_mean = 0;
  for (size_t i = 0; i < column.values.size(); ++i) {
    if (column.values[i].empty()) continue;
    ++compared;
    const double mean = Summarise(column.values[i]).mean;
    const bool wins = column.better == Better::kLarger ? mean > best_mean : mean < best_mean;
    if (best.empty() || wins) best.clear();
    if (best.empty() || mean == best_mean) {
      best.insert(i);
      best_mean = mean;
    }
  }
  // If all are the same, none is best.
  return column.better == Better::kNeither || best.size() == compared ? std::set<size_t>() : best;
}

std::string Verdict(const Difference::Interval& interval, Better better) {
  if (better == Better::kNeither || (interval.low <= 0 && interval.high >= 0)) return "";
  return (interval.high < 0) == (better == Better::kSmaller) ? " <b>better</b>" : " <b>worse</b>";
}

std::string DifferenceText(const Sample& sample, const Sample& baseline, Better better) {
  const Difference difference = WelchDifference(sample, baseline);
  if (!difference.interval) {
    const double spread = std::max(sample.deviation.value_or(0), baseline.deviation.value_or(0));
    return fmt::format("<small>Δ {}</small><small>no interval</small>",
                       SignedText(difference.value, DecimalsFor(spread, difference.value)));
  }
  const Difference::Interval& interval = *difference.interval;
  const int decimals = DecimalsFor((interval.high - interval.low) / 2, difference.value);
  return fmt::format("<small>Δ {}{}</small><small>[{}, {}]</small>", SignedText(difference.value, decimals),
                     Verdict(interval, better), SignedText(interval.low, decimals),
                     SignedText(interval.high, decimals));
}

std::string Cell(const ResultColumn& column, size_t group, size_t baseline, bool is_best) {
  const Sample sample = Summarise(column.values[group]);
  if (sample.count == 0) return "<td>–</td>";
  const int decimals = DecimalsFor(sample.deviation.value_or(0), sample.mean);
  const std::string mean = NumberText(sample.mean, decimals);
  std::string cell = "<td>" + (is_best ? "<b>" + mean + "</b>" : mean);
  if (sample.deviation) cell += " ± " + NumberText(*sample.deviation, decimals);
  if (column.compared && group == baseline) cell += "<small>baseline</small>";
  if (column.compared && group != baseline && !column.values[baseline].empty()) {
    cell += DifferenceText(sample, Summarise(column.values[baseline]), column.better);
  }
  return cell + "</td>";
}

std::string SeedsCell(const RunGroup& group) {
  const size_t left_out = group.runs.size() - group.finished();
  const std::string more = left_out == 0 ? "" : fmt::format("<small>{} unfinished</small>", left_out);
  return fmt::format("<td>{}{}</td>", group.finished(), more);
}

}  // namespace

std::vector<ResultColumn> ResultColumns(const std::vector<RunGroup>& groups) {
  Summaries summaries(groups.size());
  std::set<std::string> details, units;
  for (size_t i = 0; i < groups.size(); ++i) {
    for (const RunRecord& run : groups[i].runs) {
      if (!run.finished) continue;
      summaries[i].push_back(SummariseRun(run));
      for (const auto& [name, value] : summaries[i].back().final_details) details.insert(name);
      if (!run.unit.empty()) units.insert(run.unit);
    }
  }
  std::vector<ResultColumn> columns;
  AddColumn(
      {.title = "Evaluation loss", .hint = "after the last step", .better = Better::kSmaller}, summaries,
      [](const RunSummary& run) { return run.final_eval_loss; }, columns);
  AddColumn(
      {.title = "Best evaluation loss",
       .hint = "lowest of the run while as sparse as in the end",
       .better = Better::kSmaller},
      summaries, [](const RunSummary& run) { return run.best_eval_loss; }, columns);
  AddColumn(
      {.title = "First evaluation loss", .hint = "before the first step", .better = Better::kSmaller}, summaries,
      [](const RunSummary& run) { return run.first_eval_loss; }, columns);
  for (const std::string& name : details) {
    const auto get = [&name](const RunSummary& run) {
      const auto found = run.final_details.find(name);
      return found == run.final_details.end() ? std::nullopt : std::optional(found->second);
    };
    AddColumn(DetailColumn(name), summaries, get, columns);
  }
  AddColumn(
      {.title = "Training loss", .hint = "mean of the last tenth", .better = Better::kSmaller}, summaries,
      [](const RunSummary& run) { return run.final_train_loss; }, columns);
  const std::string unit = units.size() == 1 ? *units.begin() + "/s" : "samples/s or tokens/s";
  AddColumn(
      {.title = "Throughput", .hint = unit + ", median", .compared = false}, summaries,
      [](const RunSummary& run) { return run.units_per_s; }, columns);
  AddColumn(
      {.title = "Training time", .hint = "s, steps alone"}, summaries,
      [](const RunSummary& run) { return run.recorded_seconds; }, columns);
  return columns;
}

std::string ResultTable(const std::vector<RunGroup>& groups, size_t baseline) {
  const std::vector<ResultColumn> columns = ResultColumns(groups);
  std::string html =
      "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>Group</th><th class=\"narrow\">Seeds</th>";
  for (const ResultColumn& column : columns) {
    html += fmt::format("<th>{}<small>{}</small></th>", EscapeHtml(column.title), EscapeHtml(column.hint));
  }
  html += "</tr></thead>\n<tbody>\n";
  std::vector<std::set<size_t>> best;
  for (const ResultColumn& column : columns) best.push_back(BestOf(column));
  for (size_t i = 0; i < groups.size(); ++i) {
    html += fmt::format("<tr{}><th class=\"text\"><span class=\"name\">{}</span></th>{}",
                        groups[i].finished() == 0 ? " class=\"off\"" : "", EscapeHtml(groups[i].label),
                        SeedsCell(groups[i]));
    for (size_t j = 0; j < columns.size(); ++j) html += Cell(columns[j], i, baseline, best[j].contains(i));
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table></div>\n";
}

}  // namespace twofour::train
