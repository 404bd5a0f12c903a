#pragma once

#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {

/// Share of a pattern's blocks, in [0, 1], of which two masks keep entries in different columns. Throws Error on masks
/// of unequal shapes and on a pattern that Check finds fault with.
double ColumnFlipRate(const Mask& before, const Mask& after, const VnmPattern& pattern);

}  // namespace twofour::sparse
