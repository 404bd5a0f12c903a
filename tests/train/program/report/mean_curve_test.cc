#include "twofour/train/program/report/mean_curve.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace twofour::train {
namespace {

TEST(MeanOverRunsTest, TakesMeanAndRangeAtCommonSteps) {
  const Curve a = {{10, 1}, {20, 2}, {30, 3}}, b = {{10, 3}, {25, 9}, {30, 5}}, none;
  const MeanCurve mean = MeanOverRuns({&a, &none, &b}, 100);
  ASSERT_EQ(mean.points.size(), 2u);
  EXPECT_EQ(mean.records_per_point, 1u);
  EXPECT_EQ(mean.points[0].x, 10);
  EXPECT_EQ(mean.points[0].y, 2);
  EXPECT_EQ(mean.points[0].low, 1);
  EXPECT_EQ(mean.points[0].high, 3);
  EXPECT_EQ(mean.points[1].x, 30);
  EXPECT_EQ(mean.points[1].y, 4);
}

TEST(MeanOverRunsTest, LongCurvesBecomeMeansOfNeighbours) {
  Curve a, b;
  for (int64_t i = 0; i < 1001; ++i) {
    a[i] = static_cast<double>(i % 2);
    b[i] = 10;
  }
  const MeanCurve mean = MeanOverRuns({&a, &b}, 100);
  EXPECT_EQ(mean.records_per_point, 11u);
  EXPECT_EQ(mean.points.size(), 91u);
  EXPECT_DOUBLE_EQ(mean.points[0].x, 5);
  EXPECT_DOUBLE_EQ(mean.points[0].low, 5.0 / 11);
  EXPECT_DOUBLE_EQ(mean.points[0].y, (5.0 / 11 + 10) / 2);
  EXPECT_DOUBLE_EQ(mean.points.back().x, (990 + 1000) / 2.0);
  for (const ChartPoint& point : mean.points) {
    EXPECT_LE(point.low, point.y);
    EXPECT_LE(point.y, point.high);
  }
}

TEST(MeanOverRunsTest, NeverHasMorePointsThanAsked) {
  for (const size_t length : {1, 99, 100, 101, 199, 200, 201, 12345}) {
    Curve curve;
    for (size_t i = 0; i < length; ++i) curve[static_cast<int64_t>(i)] = 1;
    const MeanCurve mean = MeanOverRuns({&curve}, 100);
    EXPECT_LE(mean.points.size(), 100u);
    EXPECT_GE(mean.points.size(), std::min<size_t>(length, 50));
  }
}

TEST(MeanOverTimeTest, LiesAtTheMeanSecondsOfStepsThatHaveBoth) {
  const Curve a = {{10, 1}, {20, 2}, {30, 3}, {40, 4}}, b = {{10, 3}, {20, 6}, {40, 8}}, none;
  const Curve seconds_a = {{10, 1}, {15, 9}, {20, 2}, {30, 3}, {40, 4}}, seconds_b = {{10, 3}, {40, 12}};
  const MeanCurve mean = MeanOverTime({{&a, &seconds_a}, {&a, &none}, {&none, &seconds_a}, {&b, &seconds_b}}, 100);
  ASSERT_EQ(mean.points.size(), 2u);
  EXPECT_EQ(mean.points[0].x, 2);
  EXPECT_EQ(mean.points[0].y, 2);
  EXPECT_EQ(mean.points[0].low, 1);
  EXPECT_EQ(mean.points[0].high, 3);
  EXPECT_EQ(mean.points[1].x, 8);
  EXPECT_EQ(mean.points[1].y, 6);
}

TEST(MeanOverTimeTest, LongCurvesBecomeMeansOfNeighbours) {
  Curve values, seconds;
  for (int64_t i = 0; i < 1000; ++i) {
    values[i] = static_cast<double>(i);
    seconds[i] = static_cast<double>(i) / 4;
  }
  const MeanCurve mean = MeanOverTime({{&values, &seconds}}, 100);
  EXPECT_EQ(mean.records_per_point, 10u);
  EXPECT_DOUBLE_EQ(mean.points[0].y, 4.5);
  EXPECT_DOUBLE_EQ(mean.points[0].x, 4.5 / 4);
}

TEST(MeanOverRunsTest, OfNothingIsNothing) {
  const Curve none;
  EXPECT_TRUE(CommonSteps({}).empty());
  EXPECT_TRUE(MeanOverTime({}, 10).points.empty());
  EXPECT_TRUE(MeanOverTime({{&none, &none}}, 10).points.empty());
  EXPECT_TRUE(MeanOverRuns({}, 10).points.empty());
  EXPECT_TRUE(MeanOverRuns({&none}, 10).points.empty());
}

}  // namespace
}  // namespace twofour::train
