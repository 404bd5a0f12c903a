#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/budget_mask.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/sparse/vnm_column_choice.h"

namespace twofour::sparse {

/// The masks of a pattern that keep most of f32 scores [rows, cols] by magnitude, one for each matrix: where sizes
/// divide, the best there is for every pattern but V:N:M, whose columns are chosen as `columns` says. A scope of kModel
/// spends the budget over all matrices together. Groups and tiles at an edge that does not divide count as if they went
/// on with zeros; as a tile keeps n in each row and column, those zeros included, one at a corner may keep fewer than
/// it could. Blocks are compared by the means of their entries (FindBudgetMasks). Throws Error on a pattern that Check
/// finds fault with and on another tensor; throws Error (a runtime failure) that says the name and the place if a score
/// is NaN or infinite.
std::vector<Mask> FindMasksOf(std::span<const NamedScores> matrices, const PruningPattern& pattern,
                              VnmColumnChoice columns = VnmColumnChoice::kSums);

/// The same for one matrix.
Mask FindMaskOf(const Tensor& scores, const PruningPattern& pattern, std::string_view name = "weight",
                VnmColumnChoice columns = VnmColumnChoice::kSums);

}  // namespace twofour::sparse
