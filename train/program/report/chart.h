#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace twofour::train {

/// A point of a line: the mean over seeds, and the range that the seeds span there.
struct ChartPoint {
  double x = 0, y = 0;
  double low = 0, high = 0;
};

struct ChartSeries {
  std::string label;
  size_t style = 0;  ///< Chooses colour and dashes. A group has the same in every chart.
  std::vector<ChartPoint> points = {};
};

enum class ChartScale {
  kLinear,
  kFromZero,  ///< Linear, and includes 0.
  kWide,      ///< Logarithmic if nothing is negative and positive numbers span over a decade, else linear.
};

struct LineChart {
  std::string title = {};
  std::string y_label = {};  ///< With its unit.
  std::string x_label = "optimizer step";
  bool whole_x = true;    ///< x counts something, so only whole numbers are written beside the axis.
  std::string note = {};  ///< Beneath the chart.
  ChartScale scale = ChartScale::kLinear;
  std::vector<ChartSeries> series = {};
};

/// The look of a group's lines. The eight colours look different to people with any kind of colour blindness (Okabe and
/// Ito), and the dashes help in grey print. There are 48 pairs.
struct LineStyle {
  std::string colour;
  std::string dashes;  ///< A value for stroke-dasharray; empty: a solid line.
};
LineStyle StyleOf(size_t index);

/// The axes and lines as an SVG element, which is as wide as the page allows. Leaves out points with numbers that are
/// not finite or larger than any measurement. The picture is 480 units wide, and its text is 15 units tall unless the
/// page's style makes it smaller.
std::string ToSvg(const LineChart& chart);

/// The chart with title, legend and note, as an HTML figure. The legend stands above the axes and covers nothing.
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

/// The chart as an HTML figure. There is no legend, because the rows have labels.
std::string ToFigure(const DotChart& chart);

}  // namespace twofour::train
