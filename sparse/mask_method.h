#pragma once

#include <string_view>

namespace twofour::sparse {

/// How the kept entries of a weight are chosen from its scores. For magnitude pruning the scores are the weight itself.
enum class MaskMethod {
  kExact,         ///< The best of the 90 transposable masks of each tile; always keeps eight. See ExactTileMask.
  kGreedy,        ///< PyTorch's greedy, by magnitude; keeps seven or eight. See GreedyTileMask.
  kSignedGreedy,  ///< Greedy on the signed scores: drops large negative ones first. This happens when somebody forgets
                  ///< the absolute value; it exists for comparisons, not for use.
  kRandom,   ///< One of the 90 for each tile, chosen by the key alone: the baseline that every other choice must beat.
  kRows,     ///< N:M along rows alone (RowPattern), whatever that leaves in columns.
  kVnm,      ///< V:N:M (VnmPattern): four columns of each block, and 2:4 in these.
  kPattern,  ///< The best mask of a PruningPattern.
};

/// "exact", "greedy", "signed_greedy", "random", "rows", "vnm", "pattern".
std::string_view NameOf(MaskMethod method);

}  // namespace twofour::sparse
