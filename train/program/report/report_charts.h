#pragma once

#include <vector>

#include "twofour/train/program/report/chart.h"
#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// The runs that a group's lines are drawn from: the finished ones, or all of them if none is finished.
std::vector<const RunRecord*> DrawnRuns(const RunGroup& group);

/// The charts over steps: losses, accuracy, sparsity planned and measured, and how masks behave; and losses over the
/// seconds of training. Leaves out charts that the runs have no records for, or that would say nothing.
std::vector<LineChart> BuildLineCharts(const std::vector<RunGroup>& groups);

/// The last evaluation loss of each finished seed.
DotChart BuildSeedChart(const std::vector<RunGroup>& groups);

}  // namespace twofour::train
