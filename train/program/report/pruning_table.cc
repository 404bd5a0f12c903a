#include "twofour/train/program/report/pruning_table.h"

#include <fmt/format.h>

#include <optional>

#include "twofour/train/program/report/html.h"
#include "twofour/train/program/report/number_text.h"

namespace twofour::train {
namespace {

constexpr size_t kMaxShown = 80;  // Characters of a method or a pattern.

std::string NumberOrDash(const std::optional<double>& number) {
  return number ? fmt::format("{:.4f}", *number) : std::string("–");
}

std::string LossText(const std::optional<double>& loss) {
  return loss ? NumberText(*loss, DecimalsFor(0, *loss)) : std::string("–");
}

/// Of a run that was trained after it was pruned.
std::optional<double> LossAtEnd(const RunRecord& run) {
  const bool trained = !run.eval_loss.empty() && run.eval_loss.rbegin()->first > 0;
  return trained ? std::optional(run.eval_loss.rbegin()->second) : std::nullopt;
}

std::string PruningRow(const RunGroup& group, const RunRecord& run) {
  const PruningRecord& pruning = *run.pruning;
  return fmt::format(
      "<tr><th><span class=\"name\">{}</span></th><td class=\"text\">{}</td><td class=\"text\">{}</td><td>{}</td>"
      "<td>{}</td><td>{}</td><td>{}</td><td class=\"text long\"><code>{}</code></td></tr>\n",
      EscapeHtml(group.label), EscapeHtml(Shortened(pruning.method, kMaxShown)),
      EscapeHtml(Shortened(pruning.pattern, kMaxShown)), NumberOrDash(pruning.sparsity), LossText(pruning.loss_before),
      LossText(pruning.loss_after), LossText(LossAtEnd(run)), EscapeHtml(run.folder.string()));
}

}  // namespace

std::string PruningSection(const std::vector<RunGroup>& groups) {
  std::string rows;
  for (const RunGroup& group : groups) {
    for (const RunRecord& run : group.runs) {
      if (run.pruning) rows += PruningRow(group, run);
    }
  }
  if (rows.empty()) return "";
  return "<h2>Pruned runs</h2>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>Group</th>"
         "<th class=\"text\">Method</th><th class=\"text\">Pattern</th>"
         "<th>Sparsity<small>of the pruned linears</small></th><th>Loss before<small>evaluation data</small></th>"
         "<th>Loss after<small>evaluation data</small></th><th>Loss at the end<small>of training after "
         "it</small></th><th "
         "class=\"text\">Folder</th></tr></thead>\n<tbody>\n" +
         rows +
         "</tbody>\n</table></div>\n<p class=\"note\">These runs were pruned, made smaller or quantised after "
         "training. "
         "Of those that were not trained any more, the loss after pruning counts as their evaluation loss above.</p>\n";
}

}  // namespace twofour::train
