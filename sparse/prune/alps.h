#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/prune/pruned_weight.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/sparse/vnm_column_choice.h"

namespace twofour::sparse {

struct AlpsOptions {
  PruningPattern pattern = {};
  double dampening = 0.01;   ///< As in SparseGptOptions.
  double rho = 0.01;         ///< The first penalty, of features whose H has a diagonal of 1. The paper has 0.1.
  int64_t iterations = 300;  ///< At most so many of ADMM.
  int64_t refit = 10;        ///< Steps of conjugate gradients on the weights kept, see RefitKept.
  VnmColumnChoice columns = VnmColumnChoice::kSums;
};

/// Rules: those of the pattern, whose scope is not kModel; dampening is in [0, kMostDampening], rho is above 0 as a
/// float and at most 1e6, and iterations and refit are not negative.
void Check(const AlpsOptions& options, const FieldPath& at, Faults& faults);

/// ALPS (Meng et al., "ALPS: Improved Optimization for Highly Sparse One-Shot Pruning for Large Language Models",
/// NeurIPS 2024): looks for the weight W' of a pattern that changes a linear's outputs least, ||X (W - W')^T||, by
/// ADMM. With features scaled so that the diagonal of the dampened H = X^T X is 1, it alternates between a W' without a
/// pattern and its projection D, and raises the penalty rho for their difference,
///     W' <- (W H - V + rho D) (H + rho)^-1,  D <- the nearest weight of the pattern to W' + V / rho,
///     V <- V + rho (W' - D),
/// until the nonzeros of D stay where they are. Every third round rho grows by 1.3, 1.2 or 1.1, the more the more of
/// them have moved. The projection is exact for every pattern but V:N:M, so that also transposable masks get weights
/// that are made for them. Then the weights kept are fitted (RefitKept).
///
/// A smaller first rho leaves W' more time to move before it is bound to a mask. Where inputs depend on each other
/// much, as in the first blocks of a trained GPT, errors are 4 to 35 % lower with rho = 0.01 than with 0.1, and
/// elsewhere much the same, for 1.6 times as many rounds. With 0.001 they are as with 0.01.
///
/// The error that is left is mostly the price of the pattern and not of the search: exchanging masks group by group or
/// tile by tile, with an exact fit of rows for each exchange, took up to 2 % off three of four layers and 10 % off the
/// fourth, in up to 80 times the time. A transposable mask keeps half of every column. Where features are of very
/// unequal size, as behind ReLU^2, its error is therefore up to 1.8 times that of SparseGPT along rows, which drops
/// more of small features.
///
/// Tensors, errors and notes are those of SparseGpt. Systems are factored in double and solved in float.
PrunedWeight Alps(const Tensor& weight, const Tensor& gram, const AlpsOptions& options,
                  std::string_view name = "weight");

}  // namespace twofour::sparse
