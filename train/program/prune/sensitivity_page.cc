#include "twofour/train/program/prune/sensitivity_page.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "twofour/train/program/prune/pattern_kind.h"
#include "twofour/train/program/prune/sensitivity_table.h"
#include "twofour/train/program/report/chart.h"
#include "twofour/train/program/report/html.h"

namespace twofour::train {
namespace {

LineChart ChartOf(const Sensitivity& sensitivity) {
  LineChart chart{.title = "What pruning one linear alone adds to the loss",
                  .y_label = "loss above that with none pruned",
                  .x_label = "sparsity of the linear",
                  .whole_x = false,
                  .scale = ChartScale::kWide};
  size_t left_out = 0;
  for (const LinearSensitivity& linear : sensitivity.linears) {
    ChartSeries series{.label = linear.name, .style = chart.series.size(), .points = {{}}};
    for (const LossOfLevel& level : linear.levels) {
      if (!std::isfinite(level.loss)) {
        ++left_out;
        continue;
      }
      const double increase = level.loss - sensitivity.dense_loss;
      series.points.push_back({.x = level.sparsity, .y = increase, .low = increase, .high = increase});
    }
    chart.series.push_back(std::move(series));
  }
  if (left_out > 0) {
    chart.note = fmt::format("Left out, as the loss is not finite: {} level{}.", left_out, left_out == 1 ? "" : "s");
  }
  return chart;
}

std::string Name(const std::string& text) { return "<span class=\"name\">" + EscapeHtml(text) + "</span>"; }

std::string TableOf(const Sensitivity& sensitivity) {
  std::string html =
      "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>Linear</th><th class=\"text\">Shape</th>";
  for (const sparse::PruningPattern& pattern : sensitivity.patterns) html += "<th>" + LevelText(pattern) + "</th>";
  html += "</tr></thead>\n<tbody>\n";
  for (const LinearSensitivity& linear : sensitivity.linears) {
    html += fmt::format("<tr><th>{}</th><td class=\"text\">[{}, {}]</td>", Name(linear.name), linear.out_features,
                        linear.in_features);
    for (const LossOfLevel& level : linear.levels) {
      html += "<td>" + IncreaseText(level, sensitivity.dense_loss) + "</td>";
    }
    html += "</tr>\n";
  }
  html += "</tbody>\n</table></div>\n";
  return AnyMissesItsLevel(sensitivity) ? html + "<p class=\"note\">" + kWhatBracketsAre + "</p>\n" : html;
}

}  // namespace

std::string SensitivityPage(const Sensitivity& sensitivity) {
  const std::string title = "Sensitivity of " + std::filesystem::path(sensitivity.run).filename().string();
  const std::string lead = fmt::format(
      "One linear at a time is pruned by {}, pattern {}, and all others stay as they are. The loss with none pruned on "
      "the evaluation data is {:.4f}. The weights: {}",
      sensitivity.method, KindText(sensitivity.kind), sensitivity.dense_loss, sensitivity.weights);
  return HtmlPage(title, "<h1>" + EscapeHtml(title) + "</h1>\n<p class=\"lead\">" + EscapeHtml(lead) +
                             "</p>\n<div class=\"charts\">\n" + ToFigure(ChartOf(sensitivity)) +
                             "</div>\n<h2>Increase of the loss at each sparsity</h2>\n" + TableOf(sensitivity));
}

}  // namespace twofour::train
