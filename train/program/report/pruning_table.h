#pragma once

#include <string>
#include <vector>

#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// The section of the page on runs with a PruningRecord, as HTML: how each was pruned, and its losses before and
/// after. Empty if there are none.
std::string PruningSection(const std::vector<RunGroup>& groups);

}  // namespace twofour::train
