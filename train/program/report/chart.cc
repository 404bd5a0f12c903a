#include "twofour/train/program/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "twofour/train/program/report/axis.h"
#include "twofour/train/program/report/html.h"

namespace twofour::train {
namespace {

constexpr double kWidth = 480, kHeight = 300;
constexpr double kFont = 15;
constexpr double kDigitWidth = 0.6 * kFont;  // Upper bound for common fonts.
constexpr int kMaxTicksX = 5, kMaxTicksY = 6;
constexpr double kLargest = 1e30;

/// The rectangle between the axes, in units of the picture; y grows downwards.
struct Plot {
  double left, right, top, bottom;
  Axis x, y;

  double X(double value) const { return left + (right - left) * x.Place(value); }
  double Y(double value) const { return bottom - (bottom - top) * y.Place(value); }
};

bool IsDrawable(double value) { return std::isfinite(value) && std::abs(value) < kLargest; }

bool IsDrawable(const ChartPoint& point) {
  return IsDrawable(point.x) && IsDrawable(point.y) && IsDrawable(point.low) && IsDrawable(point.high);
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  void Include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

Axis YAxis(const LineChart& chart) {
  Range all, positive;
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) {
      if (!IsDrawable(point)) continue;
      for (const double value : {point.low, point.y, point.high}) {
        all.Include(value);
        if (value > 0) positive.Include(value);
      }
    }
  }
  if (all.empty()) return Axis::Linear(0, 1, kMaxTicksY);
  if (chart.scale == ChartScale::kWide && all.low >= 0 && !positive.empty() && positive.high > 10 * positive.low) {
    return Axis::Logarithmic(positive.low, positive.high, kMaxTicksY, all.low == 0);
  }
  if (chart.scale == ChartScale::kFromZero) all.Include(0);
  return Axis::Roomy(all.low, all.high, kMaxTicksY);
}

Axis XAxis(const LineChart& chart) {
  Range range;
  range.Include(0);
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) {
      if (IsDrawable(point)) range.Include(point.x);
    }
  }
  return Axis::Linear(range.low, range.high, kMaxTicksX, chart.whole_x ? 1 : 0);
}

Plot LayOut(const LineChart& chart) {
  const Axis y = YAxis(chart), x = XAxis(chart);
  size_t longest = 1;
  for (const Axis::Tick& tick : y.ticks()) longest = std::max(longest, tick.label.size());
  const double last_label = x.ticks().empty() ? 0 : static_cast<double>(x.ticks().back().label.size());
  return {.left = static_cast<double>(longest) * kDigitWidth + 12,
          .right = kWidth - std::max(8.0, last_label * kDigitWidth / 2),
          .top = 32,
          .bottom = kHeight - 46,
          .x = x,
          .y = y};
}

std::string Text(double x, double y, const char* anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, EscapeHtml(text));
}

std::string Line(const char* kind, double x1, double y1, double x2, double y2) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x1, y1, x2,
                     y2);
}

std::string Axes(const LineChart& chart, const Plot& plot) {
  std::string svg;
  for (const Axis::Tick& tick : plot.y.ticks()) {
    const double y = plot.Y(tick.value);
    svg += Line("grid", plot.left, y, plot.right, y) + Text(plot.left - 7, y + 5, "end", tick.label);
  }
  if (plot.y.has_zero()) {
    const double y = plot.bottom - (plot.bottom - plot.top) * plot.y.strip();
    svg += Line("break", plot.left, y, plot.right, y);
  }
  for (const Axis::Tick& tick : plot.x.ticks()) {
    const double x = plot.X(tick.value);
    svg += Line("axis", x, plot.bottom, x, plot.bottom + 5) + Text(x, plot.bottom + 20, "middle", tick.label);
  }
  svg += Line("axis", plot.left, plot.bottom, plot.right, plot.bottom);
  const std::string scale = plot.y.logarithmic() ? ", logarithmic axis" : "";
  svg += Text(2, 15, "start", chart.y_label + scale);
  return svg + Text((plot.left + plot.right) / 2, kHeight - 7, "middle", chart.x_label);
}

std::string Stroke(size_t index) {
  const LineStyle style = StyleOf(index);
  const std::string dashes = style.dashes.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", style.dashes);
  return fmt::format("stroke=\"{}\"{}", style.colour, dashes);
}

std::string Band(const ChartSeries& series, const Plot& plot) {
  std::string upper, lower;
  bool is_wide = false;
  for (const ChartPoint& point : series.points) {
    if (!IsDrawable(point)) continue;
    is_wide = is_wide || point.low < point.high;
    upper += fmt::format("{}{:.1f} {:.1f}", upper.empty() ? "M" : "L", plot.X(point.x), plot.Y(point.high));
    lower = fmt::format("L{:.1f} {:.1f}", plot.X(point.x), plot.Y(point.low)) + lower;
  }
  if (!is_wide) return "";
  return fmt::format("<path class=\"band\" fill=\"{}\" d=\"{}{}Z\"/>\n", StyleOf(series.style).colour, upper, lower);
}

std::string MiddleLine(const ChartSeries& series, const Plot& plot) {
  std::string path;
  int count = 0;
  double x = 0, y = 0;
  for (const ChartPoint& point : series.points) {
    if (!IsDrawable(point)) continue;
    x = plot.X(point.x);
    y = plot.Y(point.y);
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x, y);
    ++count;
  }
  if (count == 0) return "";
  if (count == 1) {  // A line of no length would be invisible.
    return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n", x, y,
                       StyleOf(series.style).colour);
  }
  return fmt::format("<path class=\"line\" {} d=\"{}\"/>\n", Stroke(series.style), path);
}

std::string OpenSvg(const std::string& description, double height) {
  return fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\" font-size=\"{:g}\">\n", kWidth,
                     height, EscapeHtml(description), kFont);
}

std::string Figure(const std::string& title, const std::string& legend, const std::string& svg,
                   const std::string& note) {
  const std::string below = note.empty() ? "" : fmt::format("<p class=\"note\">{}</p>\n", EscapeHtml(note));
  return fmt::format("<figure>\n<figcaption>{}</figcaption>\n{}{}{}</figure>\n", EscapeHtml(title), legend, svg, below);
}

}  // namespace

LineStyle StyleOf(size_t index) {
  // Neighbours differ in lightness as well. The set's yellow is left out, because it is too light for lines on white.
  static constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#000000", "#e69f00", "#56b4e9", "#7f7f7f"};
  static constexpr std::array kDashes = {"", "8 3", "2.5 2.5", "11 3 2.5 3", "5 5", "14 4 5 4"};
  return {kColours[index % kColours.size()],
          kDashes[(index % kColours.size() + index / kColours.size()) % kDashes.size()]};
}

std::string ToSvg(const LineChart& chart) {
  const Plot plot = LayOut(chart);
  std::string svg = OpenSvg(chart.title, kHeight) + Axes(chart, plot);
  for (const ChartSeries& series : chart.series) svg += Band(series, plot);
  // The first group's line is solid, so that it shows through dashed lines that lie on top of it.
  for (const ChartSeries& series : chart.series) svg += MiddleLine(series, plot);
  return svg + "</svg>\n";
}

std::string ToFigure(const LineChart& chart) {
  std::string legend = "<ul class=\"legend\">\n";
  for (const ChartSeries& series : chart.series) {
    legend += fmt::format(
        "<li><svg class=\"key\" viewBox=\"0 0 40 10\" aria-hidden=\"true\"><path class=\"line\" {} d=\"M0 5L40 "
        "5\"/></svg>"
        "<span class=\"name\">{}</span></li>\n",
        Stroke(series.style), EscapeHtml(series.label));
  }
  return Figure(chart.title, legend + "</ul>\n", ToSvg(chart), chart.note);
}

std::string ToFigure(const DotChart& chart) {
  constexpr double kRow = 44, kLeft = 10, kRight = kWidth - 24, kTop = 6;
  constexpr size_t kMaxLabel = 50;  // Characters that fit.
  Range range;
  for (const DotChart::Row& row : chart.rows) {
    for (const double value : row.values) {
      if (IsDrawable(value)) range.Include(value);
    }
  }
  const Axis axis = range.empty() ? Axis::Linear(0, 1, kMaxTicksX) : Axis::Roomy(range.low, range.high, kMaxTicksX);
  const auto x = [&](double value) { return kLeft + (kRight - kLeft) * axis.Place(value); };
  const double bottom = kTop + kRow * static_cast<double>(chart.rows.size());
  std::string svg = OpenSvg(chart.title, bottom + 46);
  for (const Axis::Tick& tick : axis.ticks()) {
    svg += Line("grid", x(tick.value), kTop, x(tick.value), bottom);
    svg += Text(std::clamp(x(tick.value), kLeft + 12, kRight), bottom + 18, "middle", tick.label);
  }
  svg += Line("axis", kLeft, bottom, kRight, bottom) + Text((kLeft + kRight) / 2, bottom + 39, "middle", chart.x_label);
  double top = kTop;
  for (const DotChart::Row& row : chart.rows) {
    const double y = top + 30;
    svg += Text(2, top + 15, "start", Shortened(row.label, kMaxLabel));
    double sum = 0, count = 0;
    for (const double value : row.values) {
      if (!IsDrawable(value)) continue;
      sum += value;
      ++count;
      svg += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5.5\" fill=\"{}\"/>\n", x(value), y,
                         StyleOf(row.style).colour);
    }
    if (count > 1) svg += Line("mean", x(sum / count), y - 10, x(sum / count), y + 10);
    top += kRow;
  }
  return Figure(chart.title, "", svg + "</svg>\n", chart.note);
}

}  // namespace twofour::train
