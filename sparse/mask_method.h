#pragma once

#include <string_view>

namespace twofour::sparse {

/// How the kept entries of a weight are chosen, by its scores: for magnitude pruning the weight itself.
enum class MaskMethod {
  kExact,         ///< The best of the 90 transposable masks of each tile; always keeps eight. See ExactTileMask.
  kGreedy,        ///< PyTorch's greedy, by magnitude; keeps seven or eight. See GreedyTileMask.
  kSignedGreedy,  ///< The same on the scores themselves: large negative ones are dropped first. What greedy becomes
                  ///< when the absolute value is forgotten; here to be measured against, not to be used.
  kRandom,        ///< One of the 90 for each tile, by a key alone: the least that a choice must beat.
  kRows,          ///< N:M along rows alone (RowPattern); nothing is demanded of columns.
};

/// "exact", "greedy", "signed_greedy", "random", "rows".
std::string_view NameOf(MaskMethod method);

}  // namespace twofour::sparse
