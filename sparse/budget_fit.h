#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/sparse/mask.h"
#include "twofour/sparse/pruning_pattern.h"

namespace twofour::sparse {

/// Says in words why a mask keeps more than a pattern with a budget lets it keep; nothing if it does not. A block
/// counts as kept if any of its entries is.
std::optional<std::string> WhyOverBudget(const Mask& mask, const PruningPattern& pattern);

/// What a budget is spent on: entries or blocks of a weight.
struct BudgetParts {
  int64_t kept = 0, count = 0;
};

/// How many of them a mask keeps, and how many there are.
BudgetParts CountParts(const Mask& mask, const PruningPattern& pattern);

/// The share of entries or blocks that a mask drops of such a pattern's: with a scope of a layer, the sparsity for
/// which a search drops as many.
double SpentBy(const Mask& mask, const PruningPattern& pattern);

}  // namespace twofour::sparse
