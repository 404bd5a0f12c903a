#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace twofour::train {

/// A line's middle and the range that its seeds span there.
struct ChartPoint {
  double x = 0, y = 0;
  double low = 0, high = 0;
};

struct ChartSeries {
  std::string label;
  size_t style = 0;  ///< Which colour and dashes: the same for a group in every chart.
  std::vector<ChartPoint> points = {};
};

enum class ChartScale {
  kLinear,
  kFromZero,  ///< Linear, 0 included.
  kWide,      ///< Logarithmic where positive numbers span more than a decade, or else linear.
};

struct LineChart {
  std::string title = {};
  std::string y_label = {};  ///< With its unit.
  std::string x_label = "optimizer step";
  std::string note = {};  ///< Beneath the chart.
  ChartScale scale = ChartScale::kLinear;
  std::vector<ChartSeries> series = {};
};

/// What tells the lines of groups apart: eight colours that people with any kind of colour blindness see as different
/// (Okabe and Ito), and dashes for print in grey; 48 pairs.
struct LineStyle {
  std::string colour;
  std::string dashes;  ///< As stroke-dasharray has them; empty: a solid line.
};
LineStyle StyleOf(size_t index);

/// The axes and lines as an SVG element that is as wide as the page lets it be. Numbers that are not finite, or as
/// large as no measurement is, are left out. Text is 15 units of 480 tall, or what the page's style says, if smaller.
std::string ToSvg(const LineChart& chart);

/// With title, legend and note around it, as an HTML figure. The legend stands above the axes and covers nothing.
std::string ToFigure(const LineChart& chart);

/// One row for each series, one dot for each of its values and a bar at their mean.
struct DotChart {
  struct Row {
    std::string label;
    size_t style = 0;
    std::vector<double> values;
  };
  std::string title;
  std::string x_label = {};
  std::string note = {};
  std::vector<Row> rows = {};
};

/// As an HTML figure. Rows carry their labels: there is no legend.
std::string ToFigure(const DotChart& chart);

}  // namespace twofour::train
