#pragma once

#include <cstdint>
#include <vector>

namespace twofour::train {

/// Gives each of several items to one of `ranks` owners, so that the sums of the owners' costs are about equal: the
/// costliest item first, each to the owner with the least so far (Graham, "Bounds on Multiprocessing Timing Anomalies",
/// 1969: at most a third above the best choice). The result depends on the arguments alone. Costs must not be
/// negative.
std::vector<int> AssignOwners(const std::vector<double>& costs, int ranks);

}  // namespace twofour::train
