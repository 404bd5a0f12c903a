#pragma once

#include <string>

#include "twofour/train/program/prune/sensitivity.h"

namespace twofour::train {

/// A page with a line for each linear over levels, and the same numbers as a table.
std::string SensitivityPage(const Sensitivity& sensitivity);

}  // namespace twofour::train
