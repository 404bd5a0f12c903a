#pragma once

#include <cstdint>

#include "twofour/sparse/pruning_pattern.h"

namespace twofour::sparse {

/// In how many rounds a pattern can be reached, each of which drops more than the one before it: any number for a
/// budget, m - n for n:m along rows, and 1 for others.
int64_t MostRounds(const PruningPattern& pattern);

/// The pattern of round `round`, counted from 0, of `rounds`, of which the last one has `pattern` itself. A budget
/// grows along the curve 1 - (1 - t)^3 (Zhu and Gupta, "To prune, or not to prune", 2017); n of n:m falls in even
/// steps. Throws Error unless 0 <= round < rounds <= MostRounds.
PruningPattern PatternOfRound(const PruningPattern& pattern, int64_t round, int64_t rounds);

}  // namespace twofour::sparse
