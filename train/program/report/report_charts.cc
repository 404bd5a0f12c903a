#include "twofour/train/program/report/report_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/report/html.h"
#include "twofour/train/program/report/mean_curve.h"
#include "twofour/train/program/report/run_summary.h"

namespace twofour::train {
namespace {

using CurveOf = std::function<const Curve*(const RunRecord&)>;

/// Fewer points for each group if there are many groups, so that the page stays small.
size_t MaxPoints(size_t groups) { return std::clamp<size_t>(12'000 / std::max<size_t>(groups, 1), 25, 200); }

const Curve* FindCurve(const std::map<std::string, Curve>& curves, const std::string& name) {
  static const Curve kNone;
  const auto found = curves.find(name);
  return found == curves.end() ? &kNone : &found->second;
}

std::string DrawnLabel(const RunGroup& group) {
  return group.finished() == 0 ? group.label + " (unfinished)" : group.label;
}

void AddToNote(const std::string& sentence, std::string& note) { note += (note.empty() ? "" : " ") + sentence; }

/// The first few labels, as a list for a sentence.
std::string ListOf(const std::vector<std::string>& labels) {
  constexpr size_t kMaxNamed = 6;
  std::string list;
  for (size_t i = 0; i < std::min(labels.size(), kMaxNamed); ++i) {
    list += (i == 0 ? "" : ", ") + Shortened(labels[i], 40);
  }
  return labels.size() > kMaxNamed ? fmt::format("{} and {} more", list, labels.size() - kMaxNamed) : list;
}

bool AreSameLine(const ChartSeries& a, const ChartSeries& b) {
  return std::ranges::equal(a.points, b.points, [](const ChartPoint& p, const ChartPoint& q) {
    return p.x == q.x && p.y == q.y && p.low == q.low && p.high == q.high;
  });
}

/// If lines lie on top of each other, only the last is visible.
void NoteSameLines(LineChart& chart) {
  std::vector<bool> told(chart.series.size());
  for (size_t i = 0; i < chart.series.size(); ++i) {
    std::vector<std::string> same = {chart.series[i].label};
    for (size_t j = i + 1; j < chart.series.size() && !told[i]; ++j) {
      if (told[j] || !AreSameLine(chart.series[i], chart.series[j])) continue;
      told[j] = true;
      same.push_back(chart.series[j].label);
    }
    if (same.size() > 1) AddToNote(fmt::format("The same line: {}.", ListOf(same)), chart.note);
  }
}

using MeanOf = std::function<MeanCurve(const std::vector<const RunRecord*>&, size_t max_points)>;

/// Fills a chart with one line for each group that has one.
LineChart WithMeans(LineChart chart, const std::vector<RunGroup>& groups, const MeanOf& mean_of) {
  size_t records_per_point = 1;
  std::vector<std::string> missing;
  for (size_t i = 0; i < groups.size(); ++i) {
    MeanCurve mean = mean_of(DrawnRuns(groups[i]), MaxPoints(groups.size()));
    records_per_point = std::max(records_per_point, mean.records_per_point);
    if (mean.points.empty()) {
      missing.push_back(groups[i].label);
    } else {
      chart.series.push_back({DrawnLabel(groups[i]), i, std::move(mean.points)});
    }
  }
  if (records_per_point > 1) {
    AddToNote(fmt::format("Each point is the mean of up to {} records.", records_per_point), chart.note);
  }
  if (!missing.empty()) AddToNote(fmt::format("Nothing recorded: {}.", ListOf(missing)), chart.note);
  NoteSameLines(chart);
  return chart;
}

LineChart WithCurves(LineChart chart, const std::vector<RunGroup>& groups, const CurveOf& curve_of) {
  return WithMeans(std::move(chart), groups, [&](const std::vector<const RunRecord*>& runs, size_t max_points) {
    std::vector<const Curve*> curves;
    for (const RunRecord* run : runs) curves.push_back(curve_of(*run));
    return MeanOverRuns(curves, max_points);
  });
}

LineChart OverTime(LineChart chart, const std::vector<RunGroup>& groups, const CurveOf& curve_of) {
  chart.x_label = "seconds of training";
  chart.whole_x = false;
  chart.note = "A point lies at the mean of its seeds' seconds.";
  return WithMeans(std::move(chart), groups, [&](const std::vector<const RunRecord*>& runs, size_t max_points) {
    std::vector<TimedCurve> curves;
    for (const RunRecord* run : runs) curves.push_back({curve_of(*run), &run->training_seconds});
    return MeanOverTime(curves, max_points);
  });
}

LineChart LayerChart(const std::string& name, LineChart chart, const std::vector<RunGroup>& groups) {
  return WithCurves(std::move(chart), groups, [&](const RunRecord& run) { return FindCurve(run.layer_means, name); });
}

bool HasOtherThan(double value, const LineChart& chart) {
  return std::ranges::any_of(chart.series, [value](const ChartSeries& series) {
    return std::ranges::any_of(series.points,
                               [value](const ChartPoint& point) { return point.low != value || point.high != value; });
  });
}

/// A line for a function of the step, at enough steps to show jumps as jumps.
std::vector<ChartPoint> PlannedLine(int64_t steps, const std::function<double(int64_t)>& value_at) {
  const int64_t points = std::min<int64_t>(steps, 400);
  std::vector<ChartPoint> line;
  for (int64_t i = 0; i <= points; ++i) {
    const int64_t step = steps / points * i + steps % points * i / points;
    const double value = value_at(step);
    // The middle of three equal numbers adds nothing.
    if (line.size() >= 2 && line.back().y == value && line[line.size() - 2].y == value) line.pop_back();
    line.push_back({static_cast<double>(step), value, value, value});
  }
  return line;
}

LineChart PlanChart(LineChart chart, const std::vector<RunGroup>& groups,
                    const std::function<double(const sparse::MaskPlan&, int64_t)>& value_at) {
  for (size_t i = 0; i < groups.size(); ++i) {
    const proto::Config& config = groups[i].config();
    if (!config.sparsity().enabled() || config.sparsity().target() != proto::Sparsity::WEIGHT) continue;
    const sparse::MaskPlan plan = BuildSwapOptions(config).sparsity.plan;
    const auto value = [&](int64_t step) { return value_at(plan, step); };
    chart.series.push_back({groups[i].label, i, PlannedLine(config.training().steps(), value)});
  }
  if (chart.series.size() < groups.size()) AddToNote("Groups without sparse weights have none.", chart.note);
  NoteSameLines(chart);
  return chart;
}

/// How many of four neighbours the pattern of pruned tiles keeps, which is n of m for every plan but that of a budget.
double PatternOfFour(const sparse::MaskPlan& plan, int64_t step) {
  if (plan.has_budget()) return 4 * (1 - plan.options().pattern.sparsity);
  const sparse::MaskFormat pattern = plan.PatternAt(step);
  return 4.0 * pattern.n / pattern.m;
}

void AddPlans(const std::vector<RunGroup>& groups, std::vector<LineChart>& charts) {
  LineChart shares = PlanChart({.title = "Planned share of pruned tiles",
                                .y_label = "share of 4x4 tiles or of a budget, 0 to 1",
                                .note = "From the configs' schedules.",
                                .scale = ChartScale::kFromZero},
                               groups, [](const sparse::MaskPlan& plan, int64_t step) { return plan.ShareAt(step); });
  if (HasOtherThan(1, shares)) charts.push_back(std::move(shares));
  LineChart kept = PlanChart({.title = "Planned entries kept in a pruned tile",
                              .y_label = "of four neighbours",
                              .note = "From the configs' patterns and stages.",
                              .scale = ChartScale::kFromZero},
                             groups, PatternOfFour);
  if (HasOtherThan(2, kept)) charts.push_back(std::move(kept));
}

}  // namespace

std::vector<const RunRecord*> DrawnRuns(const RunGroup& group) {
  std::vector<const RunRecord*> runs;
  for (const RunRecord& run : group.runs) {
    if (run.finished || group.finished() == 0) runs.push_back(&run);
  }
  return runs;
}

std::vector<LineChart> BuildLineCharts(const std::vector<RunGroup>& groups) {
  std::vector<LineChart> charts;
  const auto add = [&](LineChart chart) {
    if (!chart.series.empty()) charts.push_back(std::move(chart));
  };
  const auto add_telling = [&](LineChart chart) {
    if (HasOtherThan(0, chart)) charts.push_back(std::move(chart));
  };
  // Where a page is wide enough, losses over steps and over time stand side by side.
  const auto add_loss = [&](const std::string& name, const CurveOf& curve_of) {
    LineChart chart{.title = name, .y_label = "loss (nats)", .scale = ChartScale::kWide};
    add(WithCurves(chart, groups, curve_of));
    chart.title += " over training time";
    add(OverTime(std::move(chart), groups, curve_of));
  };
  add_loss("Evaluation loss", [](const RunRecord& run) { return &run.eval_loss; });
  add_loss("Training loss", [](const RunRecord& run) { return &run.train_loss; });
  add(WithCurves({.title = "Evaluation accuracy", .y_label = "share of samples, 0 to 1"}, groups,
                 [](const RunRecord& run) { return FindCurve(run.eval_details, "accuracy"); }));
  add(LayerChart("sparsity",
                 {.title = "Measured sparsity",
                  .y_label = "share of weights masked, mean over layers",
                  .scale = ChartScale::kFromZero},
                 groups));
  AddPlans(groups, charts);
  add(LayerChart("flip_rate",
                 {.title = "Flip rate",
                  .y_label = "share of mask entries changed",
                  .note = "By the last refresh of a mask; mean over layers.",
                  .scale = ChartScale::kWide},
                 groups));
  add(LayerChart("retained_l1", {.title = "Retained L1", .y_label = "share of |weight| kept, mean over layers"},
                 groups));
  add_telling(LayerChart("masked_gradient_share",
                         {.title = "Gradient on masked weights",
                          .y_label = "share of |gradient|, mean over layers",
                          .scale = ChartScale::kFromZero},
                         groups));
  add_telling(LayerChart("tiles_keeping_seven",
                         {.title = "Tiles that keep seven of eight",
                          .y_label = "tiles, mean over layers",
                          .note = "Where greedy could not keep an eighth entry.",
                          .scale = ChartScale::kFromZero},
                         groups));
  add(LayerChart("hidden_density",
                 {.title = "Density of hidden activations",
                  .y_label = "share not zero, mean over MLPs",
                  .scale = ChartScale::kFromZero},
                 groups));
  return charts;
}

DotChart BuildSeedChart(const std::vector<RunGroup>& groups) {
  DotChart chart{.title = "Evaluation loss after the last step, each seed",
                 .x_label = "loss (nats)",
                 .note = "A dot is a finished run, the bar a group's mean."};
  for (size_t i = 0; i < groups.size(); ++i) {
    DotChart::Row row{groups[i].label, i, {}};
    for (const RunRecord& run : groups[i].runs) {
      if (const auto loss = SummariseRun(run).final_eval_loss; run.finished && loss) row.values.push_back(*loss);
    }
    if (!row.values.empty()) chart.rows.push_back(std::move(row));
  }
  return chart;
}

}  // namespace twofour::train
