#pragma once

#include <string_view>

namespace twofour::sparse {

/// What says how important a weight is when a mask is chosen.
enum class MaskScore {
  kMagnitude,
  kRia,  ///< RiaScores: relative to the weight's row and column, times the root of the norm of its input.
};

/// "magnitude", "ria".
std::string_view NameOf(MaskScore score);

}  // namespace twofour::sparse
