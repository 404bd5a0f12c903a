#pragma once

#include <span>

#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// The masks that keep n entries in each row and each column, n from 1 to 4: 24, 90, 24 and 1 of them. Throws Error for
/// another n.
std::span<const TileMask> TransposableMasks(int n);

/// The mask of TransposableMasks(n) that keeps the largest sum of magnitudes, among those that keep nothing outside
/// `within`. Tries each of them. Sums are taken in double, row by row; of equal sums the first mask wins. If `within`
/// is one of TransposableMasks(m) with m >= n, there is always such a mask, because a regular bipartite graph is made
/// of perfect matchings (König, 1916). Throws Error if there is none. ExactTileMask does the same for n = 2, faster,
/// but breaks ties in another way.
TileMask BestTileMask(int n, const TileMagnitudes& magnitudes, TileMask within = 0xffff);

}  // namespace twofour::sparse
