#pragma once

#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// Relative importance and activations, RIA (Zhang et al., "Plug-and-Play: An Efficient Post-training Pruning Method
/// for Large Language Models", ICLR 2024): the score of a weight w in row i and column j is
///     (|w| / sum of |w| in row i + |w| / sum of |w| in column j) * norms[j]^0.5,
/// so no row or column is dropped as a whole because all of it is small. Sums are taken in double. A row or column of
/// zeros adds nothing.
///
/// `weight` f32 [rows, cols]; `norms` f32 [cols], the Euclidean norm of each input feature over many samples; result
/// f32 [rows, cols], never negative. Throws Error, naming `name`, on other tensors, and on norms that are negative or
/// not finite. Throws Error (a runtime failure) if a weight is not finite.
Tensor RiaScores(const Tensor& weight, const Tensor& norms, std::string_view name = "weight");

}  // namespace twofour::sparse
