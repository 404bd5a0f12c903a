#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/prune/pruned_weight.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/sparse/vnm_column_choice.h"

namespace twofour::sparse {

struct SparseGptOptions {
  PruningPattern pattern = {};
  double dampening = 0.01;  ///< Share of the mean of H's diagonal that is added to it: see FactorDampened.
  int64_t block = 128;      ///< Columns between two updates of all that follow; rounded up to whole groups and blocks.
  VnmColumnChoice columns = VnmColumnChoice::kSums;
};

/// Rules: those of the pattern, whose scope is not kModel; dampening is in [0, kMostDampening]; block is positive.
void Check(const SparseGptOptions& options, const FieldPath& at, Faults& faults);

/// SparseGPT (Frantar and Alistarh, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot", ICML
/// 2023): prunes a weight so that a linear's outputs change little, column by column. With H = X^T X, dampened, and U
/// upper with U^T U = H^-1, a column j that is pruned or not loses e = (w_j - q_j) / U[j][j], and all columns k to the
/// right make up for it: w_k -= e U[j][k]. Masks of a group of columns (m of n:m, 4 of tiles, M of V:N:M, or
/// `block` where there is a budget) are found when its first column is reached, for scores w_j^2 / U[j][j]^2 of the
/// weights as they are by then. A budget is spent group by group. What rounding takes from one group the next one gets,
/// so in the end as many entries of each row, or blocks of the weight, are dropped as FindMaskOf drops.
///
/// `weight` f32 [out, in] of any size above 0; `gram` f64 [in, in]. Features that are always 0 lose their weights,
/// which a note says. H is factored in double, weights are updated in float. The result does not depend on the number
/// of threads. Throws Error on options that Check finds fault with and on other tensors; throws Error (a runtime
/// failure) that begins with `name` if a weight is not finite or becomes more than a float can hold, and as
/// FactorDampened does.
PrunedWeight SparseGpt(const Tensor& weight, const Tensor& gram, const SparseGptOptions& options,
                       std::string_view name = "weight");

}  // namespace twofour::sparse
