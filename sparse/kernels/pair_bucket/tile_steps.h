#pragma once

#include <cstdint>

#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// The three ways to split the four rows of a tile into two pairs: {first, second} and {third, fourth}.
inline constexpr int kPairings = 3;
inline constexpr int kPairingRows[kPairings][kTileSize] = {{0, 1, 2, 3}, {0, 2, 1, 3}, {0, 3, 1, 2}};

/// Two columns of a tile. The first feeds one pair of rows, and the second the other.
struct TileStep {
  int pairing = 0;
  int col[2] = {};
  /// The row of each weight: the rows of kPairingRows[pairing], or -1 where the mask keeps nothing.
  int row[4] = {};
};

/// A tile as steps, ordered by pairing.
struct TileSteps {
  static constexpr int kMax = 4;
  int count = 0;
  TileStep step[kMax];
};

/// The steps of a tile mask that keeps at most two in each row and column.
///
/// The 90 transposable masks have two steps, without a gap. Proof: let n_ab be the number of columns kept in rows {a,
/// b}. The sums of the rows force n_01 = n_23, n_02 = n_13 and n_03 = n_12, so the columns split into two complementary
/// pairs. A mask that keeps less (greedy's tiles of seven) has up to three steps, with gaps.
TileSteps StepsOfTile(TileMask mask);

}  // namespace twofour::sparse
