#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// The section of the page that says how many steps and seconds each group needs to come down to the baseline's final
/// evaluation loss, or that it never does. Leaves out the seconds if no group has any. Empty if there is nothing to
/// compare: a single group, or a baseline without a finished run that was evaluated.
std::string TimeToLossSection(const std::vector<RunGroup>& groups, size_t baseline);

}  // namespace twofour::train
