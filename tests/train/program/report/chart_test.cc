#include "twofour/train/program/report/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "tests/train/program/report/xml_elements.h"

namespace twofour::train {
namespace {

using test::XmlElement;
using test::XmlParser;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Point {
  double x, y;
};

/// The corners of a path of M, L and Z.
std::vector<Point> PathPoints(std::string path) {
  for (char& c : path) {
    if (c == 'M' || c == 'L' || c == 'Z') c = ' ';
  }
  std::istringstream numbers(path);
  std::vector<Point> points;
  for (Point point{}; numbers >> point.x >> point.y;) points.push_back(point);
  return points;
}

std::vector<XmlElement> OfClass(const std::vector<XmlElement>& elements, const std::string& name) {
  std::vector<XmlElement> found;
  for (const XmlElement& element : elements) {
    const auto attribute = element.attributes.find("class");
    if (attribute != element.attributes.end() && attribute->second == name) found.push_back(element);
  }
  return found;
}

std::vector<std::string> TextsOf(const std::vector<XmlElement>& elements, const std::string& name) {
  std::vector<std::string> texts;
  for (const XmlElement& element : elements) {
    if (element.name == name) texts.push_back(element.text);
  }
  return texts;
}

LineChart ChartOf(const std::vector<std::vector<double>>& lines, ChartScale scale = ChartScale::kLinear) {
  LineChart chart{.title = "Loss", .y_label = "loss (nats)", .scale = scale};
  for (size_t i = 0; i < lines.size(); ++i) {
    ChartSeries series{.label = "line " + std::to_string(i), .style = i};
    for (size_t j = 0; j < lines[i].size(); ++j) {
      const double y = lines[i][j];
      series.points.push_back({static_cast<double>(j) * 100, y, y * 0.9, y * 1.1});
    }
    chart.series.push_back(series);
  }
  return chart;
}

/// Checks that every point lies between the axes, and every text within the picture.
void ExpectInside(const LineChart& chart) {
  const auto elements = XmlParser(ToSvg(chart)).Parse();
  double left = 480, right = 0, top = 300, bottom = 0;
  for (const XmlElement& line : OfClass(elements, "axis")) {
    left = std::min(left, std::stod(line.attributes.at("x1")));
    right = std::max(right, std::stod(line.attributes.at("x2")));
    bottom = std::max(bottom, std::stod(line.attributes.at("y1")));
  }
  top = 32;
  EXPECT_GT(left, 0);
  EXPECT_LT(right, 480);
  for (const char* kind : {"line", "band"}) {
    for (const XmlElement& path : OfClass(elements, kind)) {
      for (const Point& point : PathPoints(path.attributes.at("d"))) {
        EXPECT_GE(point.x, left - 0.1);
        EXPECT_LE(point.x, right + 0.1);
        EXPECT_GE(point.y, top - 0.1);
        EXPECT_LE(point.y, bottom + 0.1);
      }
    }
  }
  for (const XmlElement& element : elements) {
    if (element.name != "text") continue;
    const double x = std::stod(element.attributes.at("x")), width = 9.0 * static_cast<double>(element.text.size());
    const std::string& anchor = element.attributes.at("text-anchor");
    EXPECT_GE(anchor == "end" ? x - width : anchor == "middle" ? x - width / 2 : x, 0) << element.text;
    EXPECT_LE(anchor == "end" ? x : anchor == "middle" ? x + width / 2 : x, 480.1) << element.text;
    EXPECT_LE(std::stod(element.attributes.at("y")), 300);
  }
}

TEST(LineChartTest, PointsLieBetweenTheAxes) {
  ExpectInside(ChartOf({{1, 2, 3, 4}, {4, 3, 2, 1}}));
  ExpectInside(ChartOf({{1, 10, 100, 1000}}, ChartScale::kWide));
  ExpectInside(ChartOf({{0, 1e-6, 0.01, 1}}, ChartScale::kWide));
  ExpectInside(ChartOf({{0.4, 0.5}}, ChartScale::kFromZero));
  ExpectInside(ChartOf({{-5, 3}, {-1e6, 1e6}}));
  ExpectInside(ChartOf({{7}}));
  ExpectInside(ChartOf({{7, 7, 7}}));
  ExpectInside(ChartOf({{123456.7, 123456.8}}));
  ExpectInside(ChartOf({}));
}

TEST(LineChartTest, HigherNumbersAreDrawnHigherAndLaterOnesFurtherRight) {
  const auto lines = OfClass(XmlParser(ToSvg(ChartOf({{1, 2, 4}}))).Parse(), "line");
  ASSERT_EQ(lines.size(), 1u);
  const auto points = PathPoints(lines[0].attributes.at("d"));
  ASSERT_EQ(points.size(), 3u);
  EXPECT_NEAR(points[1].x - points[0].x, points[2].x - points[1].x, 0.11);
  EXPECT_NEAR(2 * (points[0].y - points[1].y), points[1].y - points[2].y, 0.31);
  EXPECT_GT(points[0].y, points[1].y);
}

TEST(LineChartTest, FractionsOfASecondFillTheAxisAndStepsDoNot) {
  LineChart chart = ChartOf({{1, 2, 4}});
  for (ChartPoint& point : chart.series[0].points) point.x /= 1000;  // Up to 0.2.
  const auto reach = [&] {
    const auto elements = XmlParser(ToSvg(chart)).Parse();
    double right = 0;
    for (const XmlElement& line : OfClass(elements, "axis"))
      right = std::max(right, std::stod(line.attributes.at("x2")));
    const auto points = PathPoints(OfClass(elements, "line").at(0).attributes.at("d"));
    return (points[2].x - points[0].x) / (right - points[0].x);
  };
  EXPECT_NEAR(reach(), 0.2, 0.01);  // No axis of steps is shorter than a step.
  chart.whole_x = false;
  EXPECT_NEAR(reach(), 1, 0.01);
  EXPECT_THAT(TextsOf(XmlParser(ToSvg(chart)).Parse(), "text"), ::testing::Contains("0.05"));
  ExpectInside(chart);
}

TEST(LineChartTest, WidePositiveNumbersGetALogarithmicAxisAndSaySo) {
  EXPECT_THAT(ToSvg(ChartOf({{0.01, 1}}, ChartScale::kWide)), HasSubstr("loss (nats), logarithmic axis"));
  EXPECT_THAT(ToSvg(ChartOf({{0.9, 1}}, ChartScale::kWide)), Not(HasSubstr("logarithmic")));
  EXPECT_THAT(ToSvg(ChartOf({{-0.01, 1}}, ChartScale::kWide)), Not(HasSubstr("logarithmic")));
  EXPECT_THAT(ToSvg(ChartOf({{0.01, 1}})), Not(HasSubstr("logarithmic")));
}

TEST(LineChartTest, ABandIsThereOnlyWhereSeedsDiffer) {
  LineChart chart = ChartOf({{1, 2}});
  EXPECT_EQ(OfClass(XmlParser(ToSvg(chart)).Parse(), "band").size(), 1u);
  for (ChartPoint& point : chart.series[0].points) point.low = point.high = point.y;
  EXPECT_TRUE(OfClass(XmlParser(ToSvg(chart)).Parse(), "band").empty());
}

TEST(LineChartTest, ALinesOnlyPointIsADot) {
  EXPECT_THAT(TextsOf(XmlParser(ToSvg(ChartOf({{3}}))).Parse(), "circle").size(), 1u);
}

TEST(LineChartTest, WhatCannotBeDrawnIsLeftOut) {
  LineChart chart = ChartOf({{1, 2, 3}});
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), 1e300}) {
    chart.series[0].points[1].y = bad;
    ExpectInside(chart);
    const auto lines = OfClass(XmlParser(ToSvg(chart)).Parse(), "line");
    EXPECT_EQ(PathPoints(lines.at(0).attributes.at("d")).size(), 2u);
  }
}

TEST(LineChartTest, TheFigureHasTitleLabelsAndEveryGroupInItsLegend) {
  LineChart chart = ChartOf({{1, 2}, {2, 3}, {3, 4}});
  chart.note = "A note.";
  chart.series[1].label = "a <b> & \"c\"";
  const auto elements = XmlParser(ToFigure(chart)).Parse();
  EXPECT_THAT(TextsOf(elements, "figcaption"), ElementsAre("Loss"));
  EXPECT_THAT(TextsOf(elements, "p"), ElementsAre("A note."));
  EXPECT_THAT(TextsOf(elements, "span"), ElementsAre("line 0", "a &lt;b&gt; &amp; &quot;c&quot;", "line 2"));
  const auto texts = TextsOf(elements, "text");
  EXPECT_THAT(texts, ::testing::Contains("loss (nats)"));
  EXPECT_THAT(texts, ::testing::Contains("optimizer step"));
  // A key in the legend looks like the line in the chart.
  std::multiset<std::string> strokes;
  for (const XmlElement& path : OfClass(elements, "line")) {
    const auto dashes = path.attributes.find("stroke-dasharray");
    strokes.insert(path.attributes.at("stroke") + (dashes == path.attributes.end() ? "" : dashes->second));
  }
  EXPECT_EQ(strokes.size(), 6u);
  for (const std::string& stroke : strokes) EXPECT_EQ(strokes.count(stroke), 2u) << stroke;
}

TEST(StyleOfTest, PairsOfColourAndDashesDoNotRepeatSoon) {
  std::set<std::string> styles;
  for (size_t i = 0; i < 48; ++i) styles.insert(StyleOf(i).colour + "/" + StyleOf(i).dashes);
  EXPECT_EQ(styles.size(), 48u);
  // In grey print, only the dashes of the first ones differ.
  std::set<std::string> dashes;
  for (size_t i = 0; i < 6; ++i) dashes.insert(StyleOf(i).dashes);
  EXPECT_EQ(dashes.size(), 6u);
}

TEST(DotChartTest, HasADotForEachValueAndABarForAMeanOfSeveral) {
  const DotChart chart{.title = "Seeds", .x_label = "loss", .rows = {{"a & b", 0, {1, 2, 3}}, {"c", 1, {2}}}};
  const auto elements = XmlParser(ToFigure(chart)).Parse();
  const auto dots = OfClass(elements, "dot");
  ASSERT_EQ(dots.size(), 4u);
  const auto means = OfClass(elements, "mean");
  ASSERT_EQ(means.size(), 1u);
  EXPECT_EQ(means[0].attributes.at("x1"), dots[1].attributes.at("cx"));  // The mean of 1, 2, 3.
  EXPECT_EQ(dots[3].attributes.at("cx"), dots[1].attributes.at("cx"));
  EXPECT_NE(dots[3].attributes.at("cy"), dots[1].attributes.at("cy"));
  EXPECT_THAT(TextsOf(elements, "text"), ::testing::Contains("a &amp; b"));
}

}  // namespace
}  // namespace twofour::train
