#pragma once

#include <string>

#include "twofour/sparse/vnm.h"

namespace twofour::train {

/// The pattern that --pattern ("2:4", "64:2:8") and --inner ("transposable", "rows") name; 2:4 as pattern_mask.h has
/// it. Throws Error on other words and on a pattern that breaks the rules of V:N:M.
sparse::VnmPattern ParsePattern(const std::string& pattern, const std::string& inner);

}  // namespace twofour::train
