#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// Scores of one weight, for a search over several weights.
struct NamedScores {
  std::string name;  ///< For messages.
  Tensor scores;     ///< f32 [rows, cols].
};

/// Blocks of a matrix. Those at its edges may be smaller.
struct BlockSize {
  int64_t rows = 1, cols = 1;
};

/// How many of `count` entries a share of them is that is dropped: rounded to the nearest.
int64_t CountDropped(double sparsity, int64_t count);

/// Masks that together drop CountDropped(sparsity) of all blocks: those with the smallest sums of |score| over their
/// entries, divided by how many these are; of equal ones the last, in the order of the matrices and row by row. Blocks
/// of one entry make unstructured masks. Throws Error on another tensor. Throws Error (a runtime failure) that says the
/// name and the place if a score is NaN or infinite.
std::vector<Mask> FindBudgetMasks(std::span<const NamedScores> matrices, BlockSize block, double sparsity);

/// The same for one matrix.
Mask FindBudgetMask(const Tensor& scores, BlockSize block, double sparsity, std::string_view name = "weight");
/// The same with a number of blocks to drop, 0 to as many as there are.
Mask FindBudgetMaskOfCount(const Tensor& scores, BlockSize block, int64_t dropped, std::string_view name = "weight");

/// The mask that drops in each row CountDropped(sparsity) entries, those with the smallest |score|; of equal ones the
/// last.
Mask FindRowBudgetMask(const Tensor& scores, double sparsity, std::string_view name = "weight");
/// The same with a number of entries to drop in each row, 0 to as many as there are.
Mask FindRowBudgetMaskOfCount(const Tensor& scores, int64_t dropped, std::string_view name = "weight");

}  // namespace twofour::sparse
