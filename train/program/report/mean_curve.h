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

/// One line for several runs. It has the steps that all of them recorded, because a mean over fewer and fewer runs
/// would jump where one ends. Runs without any record do not count. At most `max_points` points.
MeanCurve MeanOverRuns(const std::vector<const Curve*>& curves, size_t max_points);

}  // namespace twofour::train
