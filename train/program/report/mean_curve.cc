#include "twofour/train/program/report/mean_curve.h"

#include <algorithm>
#include <cassert>

namespace twofour::train {
namespace {

std::vector<int64_t> CommonSteps(const std::vector<const Curve*>& curves) {
  std::vector<int64_t> steps;
  for (const auto& [step, value] : *curves.front()) {
    if (std::ranges::all_of(curves, [step = step](const Curve* curve) { return curve->contains(step); })) {
      steps.push_back(step);
    }
  }
  return steps;
}

}  // namespace

MeanCurve MeanOverRuns(const std::vector<const Curve*>& curves, size_t max_points) {
  assert(max_points > 0);
  std::vector<const Curve*> recorded;
  std::ranges::copy_if(curves, std::back_inserter(recorded), [](const Curve* curve) { return !curve->empty(); });
  MeanCurve mean;
  if (recorded.empty()) return mean;
  const std::vector<int64_t> steps = CommonSteps(recorded);
  mean.records_per_point = std::max<size_t>((steps.size() + max_points - 1) / max_points, 1);
  const auto runs = static_cast<double>(recorded.size());
  for (size_t begin = 0; begin < steps.size(); begin += mean.records_per_point) {
    const size_t end = std::min(begin + mean.records_per_point, steps.size());
    const auto count = static_cast<double>(end - begin);
    ChartPoint point;
    for (size_t i = begin; i < end; ++i) point.x += static_cast<double>(steps[i]) / count;
    for (size_t run = 0; run < recorded.size(); ++run) {
      double value = 0;
      for (size_t i = begin; i < end; ++i) value += recorded[run]->at(steps[i]) / count;
      point.y += value / runs;
      point.low = run == 0 ? value : std::min(point.low, value);
      point.high = run == 0 ? value : std::max(point.high, value);
    }
    // Rounding may put the mean of equal numbers outside of their range.
    point.y = std::clamp(point.y, point.low, point.high);
    mean.points.push_back(point);
  }
  return mean;
}

}  // namespace twofour::train
