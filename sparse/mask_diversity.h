#pragma once

#include <cstdint>

#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// The natural logarithm of the number of masks that keep all they may, for each weight of a block: what a pattern
/// leaves to choose. The more, the nearer can masks come to those without a pattern. With tiles,
/// (log C(m, 4) + v / 4 log 90) / (v m). Along rows, (log C(m, 4) + v log C(4, 2)) / (v m), the mask diversity of
/// V:N:M: a mask counts there once for every choice of four columns that gives it.
double MaskDiversity(const VnmPattern& pattern);

/// The same for 2:4 in 4x4 tiles: log 90 / 16.
double TileMaskDiversity();

/// The same for a whole weight [out_features, in_features], both multiples of 4, divided by its elements. Blocks at the
/// edges have the rows and columns that are left. `format` is 2:4 in tiles or V:N:M.
double MaskDiversity(const MaskFormat& format, int64_t out_features, int64_t in_features);

}  // namespace twofour::sparse
