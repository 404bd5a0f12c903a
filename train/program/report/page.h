#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// The report as a page: results, charts, what differs between the configs, and the runs.
std::string ReportPage(const std::vector<RunGroup>& groups, size_t baseline, const std::string& title,
                       const std::vector<std::string>& notes);

}  // namespace twofour::train
