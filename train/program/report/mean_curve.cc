#include "twofour/train/program/report/mean_curve.h"

#include <algorithm>
#include <cassert>
#include <functional>

namespace twofour::train {
namespace {

/// The mean of `curves` at `steps`, which all of them have. `place_of` tells where a step lies on the x axis.
MeanCurve MeanAt(const std::vector<int64_t>& steps, const std::vector<const Curve*>& curves, size_t max_points,
                 const std::function<double(int64_t)>& place_of) {
  assert(max_points > 0);
  MeanCurve mean;
  mean.records_per_point = std::max<size_t>((steps.size() + max_points - 1) / max_points, 1);
  const auto runs = static_cast<double>(curves.size());
  for (size_t begin = 0; begin < steps.size(); begin += mean.records_per_point) {
    const size_t end = std::min(begin + mean.records_per_point, steps.size());
    const auto count = static_cast<double>(end - begin);
    ChartPoint point;
    for (size_t i = begin; i < end; ++i) point.x += place_of(steps[i]) / count;
    for (size_t run = 0; run < curves.size(); ++run) {
      double value = 0;
      for (size_t i = begin; i < end; ++i) value += curves[run]->at(steps[i]) / count;
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

}  // namespace

std::vector<int64_t> CommonSteps(const std::vector<const Curve*>& curves) {
  std::vector<int64_t> steps;
  if (curves.empty()) return steps;
  for (const auto& [step, value] : *curves.front()) {
    if (std::ranges::all_of(curves, [step = step](const Curve* curve) { return curve->contains(step); })) {
      steps.push_back(step);
    }
  }
  return steps;
}

MeanCurve MeanOverRuns(const std::vector<const Curve*>& curves, size_t max_points) {
  std::vector<const Curve*> recorded;
  std::ranges::copy_if(curves, std::back_inserter(recorded), [](const Curve* curve) { return !curve->empty(); });
  return MeanAt(CommonSteps(recorded), recorded, max_points, [](int64_t step) { return static_cast<double>(step); });
}

MeanCurve MeanOverTime(const std::vector<TimedCurve>& curves, size_t max_points) {
  std::vector<const Curve*> values, seconds, all;
  for (const TimedCurve& curve : curves) {
    if (curve.values->empty() || curve.seconds->empty()) continue;
    values.push_back(curve.values);
    seconds.push_back(curve.seconds);
    all.insert(all.end(), {curve.values, curve.seconds});
  }
  return MeanAt(CommonSteps(all), values, max_points, [&](int64_t step) {
    double mean = 0;
    for (const Curve* run : seconds) mean += run->at(step) / static_cast<double>(seconds.size());
    return mean;
  });
}

}  // namespace twofour::train
