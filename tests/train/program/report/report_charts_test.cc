#include "twofour/train/program/report/report_charts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

using test::Recorded;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const LineChart* Find(const std::vector<LineChart>& charts, const std::string& title) {
  for (const LineChart& chart : charts) {
    if (chart.title == title) return &chart;
  }
  return nullptr;
}

TEST(BuildLineChartsTest, DrawsWhatIsRecorded) {
  RunRecord a = Recorded("a", 1), b = Recorded("a", 2), c = Recorded("c", 1);
  a.eval_loss = {{50, 1}, {100, 0.5}};
  b.eval_loss = {{50, 3}, {100, 1.5}};
  c.train_loss = {{50, 1}};
  a.layer_means["tiles_keeping_seven"] = {{50, 0}, {100, 0}};
  const auto charts = BuildLineCharts(GroupRuns({a, b, c}));
  const LineChart* loss = Find(charts, "Evaluation loss");
  ASSERT_NE(loss, nullptr);
  ASSERT_EQ(loss->series.size(), 1u);
  EXPECT_EQ(loss->series[0].points[0].y, 2);
  EXPECT_THAT(loss->note, HasSubstr("Nothing recorded: c."));
  ASSERT_NE(Find(charts, "Training loss"), nullptr);
  EXPECT_EQ(Find(charts, "Training loss")->series[0].style, 1u);  // The second group has this style in every chart.
  EXPECT_EQ(Find(charts, "Flip rate"), nullptr);
  EXPECT_EQ(Find(charts, "Tiles that keep seven of eight"), nullptr);  // Always 0.
}

TEST(BuildLineChartsTest, DrawsLossesOverSecondsBesideLossesOverSteps) {
  // The short run is as fast as the long one at each step, and both are drawn on the same axis.
  RunRecord slow = Recorded("slow", 1, "training { steps: 100 batch_size: 10 }"),
            fast = Recorded("fast", 1, "training { steps: 200 batch_size: 10 }"), old = Recorded("old", 1);
  slow.eval_loss = slow.train_loss = old.eval_loss = {{50, 1}, {100, 0.5}};
  slow.training_seconds = {{50, 30}, {100, 60}};
  fast.eval_loss = {{50, 1}, {100, 0.6}, {200, 0.4}};
  fast.training_seconds = {{50, 10}, {100, 20}, {200, 40}};
  const auto charts = BuildLineCharts(GroupRuns({slow, fast, old}));
  ASSERT_EQ(charts.size(), 4u);
  EXPECT_EQ(charts[0].title, "Evaluation loss");
  EXPECT_EQ(charts[0].x_label, "optimizer step");
  EXPECT_EQ(charts[1].title, "Evaluation loss over training time");
  EXPECT_EQ(charts[1].x_label, "seconds of training");
  EXPECT_EQ(charts[2].title, "Training loss");
  EXPECT_EQ(charts[3].title, "Training loss over training time");
  ASSERT_EQ(charts[1].series.size(), 2u);
  const std::vector<ChartPoint>& points = charts[1].series[1].points;
  EXPECT_EQ(charts[1].series[1].label, "fast");
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[2].x, 40);
  EXPECT_EQ(points[2].y, 0.4);
  EXPECT_EQ(charts[1].series[0].points[1].x, 60);
  EXPECT_THAT(charts[1].note, HasSubstr("Nothing recorded: old."));
  ASSERT_EQ(charts[3].series.size(), 1u);
}

TEST(BuildLineChartsTest, DrawsSchedulesAsTheTrainerFollowsThem) {
  const auto groups = GroupRuns({Recorded("dense", 1), Recorded("linear", 1, R"(sparsity { enabled: true
      schedule { shape: LINEAR begin { fraction: 0.2 } end { fraction: 0.6 } to: 0.5 } dense_finish: 0.1 })"),
                                 Recorded("decay", 1, R"(sparsity { enabled: true stages { begin { step: 30 } keep: 3 }
      stages { begin { step: 60 } keep: 2 } })")});
  const auto charts = BuildLineCharts(groups);
  const LineChart* shares = Find(charts, "Planned share of pruned tiles");
  ASSERT_NE(shares, nullptr);
  ASSERT_EQ(shares->series.size(), 2u);
  EXPECT_THAT(shares->note, HasSubstr("Groups without sparse weights have none."));
  const auto at = [](const ChartSeries& series, double x) {
    for (size_t i = 1; i < series.points.size(); ++i) {
      const ChartPoint &p = series.points[i - 1], &q = series.points[i];
      if (x >= p.x && x <= q.x) return p.y + (q.y - p.y) * (x - p.x) / (q.x - p.x);
    }
    return -1.0;
  };
  const ChartSeries& linear = shares->series[0];
  EXPECT_EQ(at(linear, 10), 0);
  EXPECT_NEAR(at(linear, 30), 0.125, 1e-9);
  EXPECT_NEAR(at(linear, 40), 0.25, 1e-9);
  EXPECT_NEAR(at(linear, 80), 0.5, 1e-9);
  EXPECT_EQ(at(linear, 95), 0);
  const LineChart* kept = Find(charts, "Planned entries kept in a pruned tile");
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(at(kept->series[1], 20), 4);
  EXPECT_EQ(at(kept->series[1], 45), 3);
  EXPECT_EQ(at(kept->series[1], 90), 2);
}

TEST(BuildLineChartsTest, DrawsWhatPatternsAlongRowsKeep) {
  const auto charts = BuildLineCharts(GroupRuns({
      Recorded("few", 1, "sparsity { enabled: true algorithm: ROWS rows { keep: 1 of: 8 } }"),
      Recorded("half", 1, "sparsity { enabled: true algorithm: ROWS rows { keep: 4 of: 8 } }"),
  }));
  const LineChart* kept = Find(charts, "Planned entries kept in a pruned tile");
  ASSERT_NE(kept, nullptr);
  ASSERT_EQ(kept->series.size(), 2u);
  EXPECT_EQ(kept->series[0].points.back().y, 0.5);
  EXPECT_EQ(kept->series[1].points.back().y, 2);
}

TEST(BuildLineChartsTest, PlansThatSayNothingAreNotDrawn) {
  const auto charts = BuildLineCharts(GroupRuns({Recorded("a", 1, "sparsity { enabled: true }")}));
  EXPECT_TRUE(charts.empty());
}

TEST(BuildLineChartsTest, SaysWhichLinesLieOnTopOfEachOther) {
  RunRecord a = Recorded("a", 1), b = Recorded("b", 1), c = Recorded("c", 1);
  a.eval_loss = b.eval_loss = {{50, 1}, {100, 2}};
  c.eval_loss = {{50, 1}, {100, 3}};
  const auto charts = BuildLineCharts(GroupRuns({a, b, c}));
  ASSERT_EQ(charts.size(), 1u);
  EXPECT_EQ(charts[0].note, "The same line: a, b.");
}

TEST(BuildLineChartsTest, SaysWhatALongCurvesPointsStandFor) {
  RunRecord a = Recorded("a", 1);
  for (int64_t step = 1; step <= 1000; ++step) a.train_loss[step] = 1;
  const auto charts = BuildLineCharts(GroupRuns({a}));
  ASSERT_EQ(charts.size(), 1u);
  EXPECT_EQ(charts[0].series[0].points.size(), 200u);
  EXPECT_EQ(charts[0].note, "Each point is the mean of up to 5 records.");
}

TEST(DrawnRunsTest, UnfinishedRunsAreDrawnOnlyWhereNoneIsFinished) {
  RunRecord done = Recorded("a", 1), begun = Recorded("a", 2, "", false), alone = Recorded("b", 1, "", false);
  done.eval_loss = {{50, 1}, {100, 1}};
  begun.eval_loss = {{50, 9}};
  alone.eval_loss = {{50, 3}};
  const auto charts = BuildLineCharts(GroupRuns({done, begun, alone}));
  ASSERT_EQ(charts.size(), 1u);
  ASSERT_EQ(charts[0].series.size(), 2u);
  EXPECT_EQ(charts[0].series[0].points.size(), 2u);
  EXPECT_EQ(charts[0].series[0].points[0].high, 1);
  EXPECT_EQ(charts[0].series[1].label, "b (unfinished)");
}

TEST(BuildSeedChartTest, HasADotForEachFinishedSeed) {
  RunRecord a = Recorded("a", 1), b = Recorded("a", 2), c = Recorded("a", 3, "", false);
  a.eval_loss = {{50, 5}, {100, 1}};
  b.eval_loss = {{100, 2}};
  c.eval_loss = {{50, 9}};
  const DotChart chart = BuildSeedChart(GroupRuns({a, b, c, Recorded("none", 1)}));
  ASSERT_EQ(chart.rows.size(), 1u);
  EXPECT_THAT(chart.rows[0].values, ElementsAre(1, 2));
}

}  // namespace
}  // namespace twofour::train
