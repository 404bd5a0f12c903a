#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "twofour/train/program/report/chart.h"
#include "twofour/train/program/report/run_record.h"

namespace twofour::train {

struct MeanCurve {
  std::vector<ChartPoint> points;  ///< The mean, the lowest and the highest value over runs.
  size_t records_per_point = 1;    ///< Above 1, each point stands for the mean over this many records.
};

/// The steps that all curves have, in order. None if there are no curves.
std::vector<int64_t> CommonSteps(const std::vector<const Curve*>& curves);

/// One line for several runs. It has the steps that all of them recorded, because a mean over fewer and fewer runs
/// would jump where one ends. Runs without any record do not count. At most `max_points` points.
MeanCurve MeanOverRuns(const std::vector<const Curve*>& curves, size_t max_points);

/// What a run recorded, and the seconds of training at its steps.
struct TimedCurve {
  const Curve* values;
  const Curve* seconds;
};

/// The same, but a point lies at the mean over runs of their seconds, and not at a step. It has the steps for which all
/// runs recorded both. Runs without values or without seconds do not count.
MeanCurve MeanOverTime(const std::vector<TimedCurve>& curves, size_t max_points);

}  // namespace twofour::train
