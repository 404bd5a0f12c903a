#pragma once

#include <span>

#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// The masks with n entries in each row and each column, n from 1 to 4: 24, 90, 24 and 1 of them. Throws Error for
/// another n.
std::span<const TileMask> TransposableMasks(int n);

/// The one of TransposableMasks(n) that keeps the largest sum of magnitudes of those that keep nothing outside
/// `within`, by trying each. Sums are taken in double, row by row; ties go to the first. There is one within each of
/// TransposableMasks(m) for m >= n, as a regular bipartite graph is made of perfect matchings (König, 1916); where
/// there is none, throws Error. ExactTileMask is the same for n = 2, faster, with other ties.
TileMask BestTileMask(int n, const TileMagnitudes& magnitudes, TileMask within = 0xffff);

}  // namespace twofour::sparse
