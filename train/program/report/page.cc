#include "twofour/train/program/report/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/train/program/report/config_difference.h"
#include "twofour/train/program/report/html.h"
#include "twofour/train/program/report/number_text.h"
#include "twofour/train/program/report/pruning_table.h"
#include "twofour/train/program/report/report_charts.h"
#include "twofour/train/program/report/result_table.h"
#include "twofour/train/program/report/run_summary.h"
#include "twofour/train/program/report/time_to_loss_table.h"

namespace twofour::train {
namespace {

std::string Plural(size_t count, const std::string& word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string Name(const std::string& text) { return "<span class=\"name\">" + EscapeHtml(text) + "</span>"; }

/// A config's path as HTML that may break after each dot.
std::string Path(const std::string& path) {
  std::string html;
  for (const char c : path) html += EscapeHtml({&c, 1}) + (c == '.' ? "<wbr/>" : "");
  return "<code>" + html + "</code>";
}

struct Counts {
  size_t runs = 0, finished = 0, fewest = 0, most = 0;  // fewest and most: finished runs of a group.
};

Counts CountRuns(const std::vector<RunGroup>& groups) {
  Counts counts{.fewest = groups.front().finished()};
  for (const RunGroup& group : groups) {
    counts.runs += group.runs.size();
    counts.finished += group.finished();
    counts.fewest = std::min(counts.fewest, group.finished());
    counts.most = std::max(counts.most, group.finished());
  }
  return counts;
}

std::string Lead(const std::vector<RunGroup>& groups, size_t baseline) {
  const Counts counts = CountRuns(groups);
  std::string html =
      fmt::format("<p class=\"lead\">{}, {}", Plural(groups.size(), "group"), Plural(counts.finished, "finished run"));
  if (counts.runs > counts.finished) html += ", " + CountsOfOthers(groups);
  if (groups.size() > 1) html += ". Compared to " + Name(groups[baseline].label);
  return html + ".</p>\n";
}

std::string SeedsSentence(const Counts& counts) {
  if (counts.fewest == counts.most) return fmt::format("Every group has {}.", Plural(counts.most, "finished seed"));
  return fmt::format("Groups have {} to {} finished seeds.", counts.fewest, counts.most);
}

std::string HowToRead(const std::vector<RunGroup>& groups, size_t baseline) {
  const Counts counts = CountRuns(groups);
  std::string html = "<ul class=\"notes\">\n<li>" + SeedsSentence(counts) +
                     " Numbers are means ± standard deviations over seeds (of one seed, which has no deviation, the "
                     "number alone). The best mean of a column is bold, whether or not noise explains it.</li>\n";
  if (groups.size() > 1 && groups[baseline].finished() == 0) {
    html += "<li>The baseline has no finished run: nothing is compared to it.</li>\n";
  } else if (groups.size() > 1) {
    html +=
        "<li>Δ is the difference to the baseline's mean, in brackets its 95 % confidence interval by Welch's t-test. "
        "An interval that contains 0 means that the difference does not exceed the noise between seeds; “better” and "
        "“worse” stand where it does not contain 0. One of twenty such intervals misses the truth by chance alone, and "
        "with few seeds intervals are wide.</li>\n";
    html +=
        "<li>There is no interval where a group has fewer than two finished seeds, or where the seeds of both groups "
        "gave "
        "the same numbers.</li>\n";
  }
  if (counts.runs > counts.finished) {
    html += fmt::format("<li>{} not finished: left out of all means, deviations and intervals.</li>\n",
                        counts.runs - counts.finished == 1 ? std::string("One run is")
                                                           : fmt::format("{} runs are", counts.runs - counts.finished));
  }
  html +=
      "<li>The best of several evaluations flatters every run a little: it was chosen on the data it is measured "
      "on. Throughput and training time also depend on what else the machine did.</li>\n";
  return html + "</ul>\n";
}

std::string Warnings(const std::vector<std::string>& notes) {
  std::string html;
  for (const std::string& note : notes) html += fmt::format("<p class=\"warning\">{}</p>\n", Name(note));
  return html;
}

std::string Seeds(const std::vector<RunGroup>& groups) {
  const DotChart seeds = BuildSeedChart(groups);
  return seeds.rows.empty() ? "" : "<div class=\"charts\">\n" + ToFigure(seeds) + "</div>\n";
}

std::string Charts(const std::vector<RunGroup>& groups) {
  std::string figures;
  for (const LineChart& chart : BuildLineCharts(groups)) figures += ToFigure(chart);
  if (figures.empty()) return "";
  std::string html =
      "<h2>Over time</h2>\n<p class=\"note\">A line is the mean over a group's seeds, at steps that all of them "
      "recorded; the band around it reaches from the lowest to the highest seed.";
  const Counts counts = CountRuns(groups);
  if (counts.runs > counts.finished) {
    html += " Unfinished runs are drawn only for groups that have no finished one.";
  }
  return html + "</p>\n<div class=\"charts\">\n" + figures + "</div>\n";
}

std::string Differences(const std::vector<RunGroup>& groups) {
  if (groups.size() < 2) return "";
  std::vector<proto::Config> configs;
  for (const RunGroup& group : groups) configs.push_back(WithoutSeed(group.config()));
  const std::vector<FieldDifference> fields = DifferingFields(configs);
  std::string html = "<h2>What differs between the configs</h2>\n";
  if (fields.empty()) return html + "<p>Nothing but the names.</p>\n";
  html += "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>Field</th>";
  for (const RunGroup& group : groups) html += "<th class=\"text\">" + Name(group.label) + "</th>";
  html += "</tr></thead>\n<tbody>\n";
  for (const FieldDifference& field : fields) {
    html += "<tr><th class=\"path\">" + Path(field.path) + "</th>";
    for (const std::string& value : field.values) {
      html += value.empty() ? "<td class=\"text\">–</td>"
                            : "<td class=\"text\">" + EscapeHtml(Shortened(value, 80)) + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table></div>\n<p class=\"note\">– stands where a config does not set the field.</p>\n";
}

/// The table cell that says what became of a run, and why.
std::string StateCell(const RunRecord& run) {
  constexpr size_t kMaxReason = 400;
  if (!run.finished) {
    const std::string why =
        run.reason.empty() ? "" : "<small>" + EscapeHtml(Shortened(run.reason, kMaxReason)) + "</small>";
    return fmt::format("<td class=\"text long\">{}: left out of the statistics{}</td>", NameOf(run.outcome), why);
  }
  std::string state = run.stopped_early ? "finished early, for want of gain" : "finished";
  if (run.model_step && *run.model_step != run.steps) {
    state += fmt::format("<small>model of step {}</small>", *run.model_step);
  }
  return "<td class=\"text\">" + state + "</td>";
}

std::string RunRow(const RunGroup& group, const RunRecord& run) {
  const RunSummary summary = SummariseRun(run);
  const auto number = [](const std::optional<double>& value) {
    return value ? NumberText(*value, DecimalsFor(0, *value)) : std::string("–");
  };
  return fmt::format(
      "<tr{}><th>{}</th><td>{}</td>{}<td>{} of {}</td><td>{}</td><td>{}</td><td>{}</td>"
      "<td class=\"text long\"><code>{}</code></td></tr>\n",
      run.finished ? "" : " class=\"off\"", Name(group.label), run.config.seed(), StateCell(run), run.steps,
      run.config.training().steps(), number(summary.final_eval_loss), number(summary.final_sparsity),
      number(summary.mean_flip_rate), EscapeHtml(run.folder.string()));
}

std::string Runs(const std::vector<RunGroup>& groups) {
  std::string html =
      "<h2>Runs</h2>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>Group</th><th>Seed</th>"
      "<th class=\"text\">State</th><th>Steps</th><th>Evaluation loss<small>last</small></th>"
      "<th>Sparsity<small>of the masked weights, last</small></th><th>Flip rate<small>mean of the run</small></th>"
      "<th class=\"text\">Folder</th></tr></thead>\n<tbody>\n";
  for (const RunGroup& group : groups) {
    for (const RunRecord& run : group.runs) html += RunRow(group, run);
  }
  return html + "</tbody>\n</table></div>\n";
}

}  // namespace

std::string ReportPage(const std::vector<RunGroup>& groups, size_t baseline, const std::string& title,
                       const std::vector<std::string>& notes) {
  const std::string heading = title.empty() ? "Comparison of training runs" : title;
  std::string body = "<h1>" + EscapeHtml(heading) + "</h1>\n" + Lead(groups, baseline) + Warnings(notes);
  body += "<h2>Results</h2>\n" + ResultTable(groups, baseline) + HowToRead(groups, baseline) + Seeds(groups);
  body += PruningSection(groups) + TimeToLossSection(groups, baseline) + Charts(groups) + Differences(groups) +
          Runs(groups);
  return HtmlPage(heading, body);
}

}  // namespace twofour::train
