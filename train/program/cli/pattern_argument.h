#pragma once

#include <string>

#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/vnm.h"

namespace twofour::train {

/// The pattern that --pattern ("2:4", "64:2:8") and --inner ("transposable", "rows") name; 2:4 as pattern_mask.h has
/// it. Throws Error on other words and on a pattern that breaks the rules of V:N:M.
sparse::VnmPattern ParsePattern(const std::string& pattern, const std::string& inner);

/// The pattern of a packed file along rows: N:M ("2:4") with 1 <= N <= M <= 32, or V:2:M ("64:2:8"). Throws Error on
/// anything else.
sparse::MaskFormat ParseRowPattern(const std::string& pattern);

}  // namespace twofour::train
