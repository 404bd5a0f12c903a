#pragma once

#include <vector>

#include "twofour/train/program/report/chart.h"
#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// The finished runs of a group, or all of them where none is: what its lines are drawn from.
std::vector<const RunRecord*> DrawnRuns(const RunGroup& group);

/// Everything that is drawn over steps, as far as runs tell of it and it says something: losses, accuracy, sparsity
/// planned and measured, and how masks behave.
std::vector<LineChart> BuildLineCharts(const std::vector<RunGroup>& groups);

/// Each finished seed's last evaluation loss.
DotChart BuildSeedChart(const std::vector<RunGroup>& groups);

}  // namespace twofour::train
