#include "twofour/train/program/report/time_to_loss_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "twofour/train/program/report/html.h"
#include "twofour/train/program/report/number_text.h"
#include "twofour/train/program/report/time_to_loss.h"

namespace twofour::train {
namespace {

using Number = std::optional<double> (*)(const LossReached&);

std::optional<double> StepOf(const LossReached& reached) { return reached.step; }
std::optional<double> SecondsOf(const LossReached& reached) { return reached.seconds; }

std::string FourDigits(double value) { return NumberText(value, DecimalsFor(0, value)); }
std::string WholeNumber(double value) { return NumberText(value, 0); }

using Format = std::string (*)(double);

/// "2 of 3 seeds: 180 to 195". Empty if a single seed says all, or if no seed has a number.
std::string SeedsText(const GroupReached& group, Number number, Format format) {
  std::vector<double> values;
  for (const LossReached& seed : group.single_seeds) {
    if (const std::optional<double> value = number(seed)) values.push_back(*value);
  }
  if (group.seeds < 2 || values.empty()) return "";
  const auto [least, most] = std::ranges::minmax(values);
  const std::string who =
      values.size() == group.seeds ? "seeds" : fmt::format("{} of {} seeds", values.size(), group.seeds);
  const std::string range = values.size() == 1 ? format(least) : format(least) + " to " + format(most);
  return fmt::format("<small>{}: {}</small>", who, range);
}

/// `never` is what stands below "never".
std::string ReachedCell(const GroupReached& group, Number number, Format format, const std::string& never) {
  const std::string seeds = SeedsText(group, number, format);
  if (group.mean.empty()) return "<td>–</td>";
  if (!group.reached) return fmt::format("<td><b>never</b><small>{}</small>{}</td>", never, seeds);
  const std::optional<double> value = number(*group.reached);
  if (!value) return "<td>–</td>";
  return fmt::format("<td>{}{}{}</td>", group.reached->at_most ? "≤ " : "", format(*value), seeds);
}

std::string StepsCell(const GroupReached& group) {
  const auto lowest = std::ranges::min_element(group.mean, {}, &EvaluationPoint::loss);
  const std::string never = lowest == group.mean.end() ? ""
                                                       : fmt::format("lowest {} at step {}", FourDigits(lowest->loss),
                                                                     WholeNumber(lowest->step));
  return ReachedCell(group, StepOf, WholeNumber, never);
}

std::string SecondsCell(const GroupReached& group) {
  const bool known = !group.mean.empty() && group.mean.back().seconds;
  return ReachedCell(group, SecondsOf, FourDigits,
                     known ? fmt::format("in {} s", FourDigits(*group.mean.back().seconds)) : "not recorded");
}

std::string ShareCell(const GroupReached& group, const GroupReached& baseline) {
  const auto seconds = [](const GroupReached& of) { return of.reached ? of.reached->seconds : std::nullopt; };
  if (&group == &baseline) return "<td>baseline</td>";
  if (!seconds(group) || seconds(baseline).value_or(0) <= 0) return "<td>–</td>";
  const bool at_most = group.reached->at_most && !baseline.reached->at_most;
  return fmt::format("<td>{}{:.2f}</td>", at_most ? "≤ " : "", *seconds(group) / *seconds(baseline));
}

bool HasSeconds(const GroupReached& group) {
  return std::ranges::any_of(group.mean, [](const EvaluationPoint& point) { return point.seconds.has_value(); });
}

std::string HowToRead(bool seconds) {
  std::string html =
      "<ul class=\"notes\">\n<li>A group gets there where the mean of its seeds' evaluation losses first comes down to "
      "that loss, on a straight line between two evaluations. While a loss flattens out, the line lies above it, so "
      "the number is rather too large than too small. “≤” stands where the first evaluation was already as low. Below "
      "it is where single seeds get there. A seed whose losses all stay above the baseline's mean never "
      "does. That happens to the baseline's own seeds, too.</li>\n";
  if (seconds) {
    html +=
        "<li>Seconds are those of training alone, without evaluations and saving. They depend on what else the machine "
        "did.</li>\n";
  }
  return html +
         "<li>Where the learning rate decays over a run, the middle of a long run is worse than the end of a short one "
         "would be. For what a given time buys, compare runs whose schedules end at that time.</li>\n</ul>\n";
}

}  // namespace

std::string TimeToLossSection(const std::vector<RunGroup>& groups, size_t baseline) {
  if (groups.size() < 2) return "";
  const std::optional<EvaluationPoint> target = FinalEvaluation(groups[baseline]);
  if (!target) return "";
  std::vector<GroupReached> reached;
  for (const RunGroup& group : groups) reached.push_back(WhenReached(group, target->loss));
  const bool seconds = std::ranges::any_of(reached, HasSeconds);
  const size_t seeds = reached[baseline].seeds;
  std::string html = fmt::format(
      "<h2>Time to the baseline's final loss</h2>\n<p>The baseline ends at an evaluation loss of {}, {}after step {}. "
      "This is when each group first gets there.</p>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>"
      "<th>Group</th><th>Steps</th>{}</tr></thead>\n<tbody>\n",
      FourDigits(target->loss), seeds == 1 ? "" : fmt::format("the mean of its {} seeds ", seeds),
      WholeNumber(target->step),
      seconds ? "<th>Seconds<small>of training</small></th><th>Share<small>of the baseline's seconds</small></th>"
              : "");
  for (size_t i = 0; i < groups.size(); ++i) {
    html += fmt::format("<tr{}><th class=\"text\"><span class=\"name\">{}</span></th>{}",
                        groups[i].finished() == 0 ? " class=\"off\"" : "", EscapeHtml(groups[i].label),
                        StepsCell(reached[i]));
    if (seconds) html += SecondsCell(reached[i]) + ShareCell(reached[i], reached[baseline]);
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table></div>\n" + HowToRead(seconds);
}

}  // namespace twofour::train
