#pragma once

#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::optim {

// A parameter that is given twice, such as a weight that two layers share, counts once.

/// The Euclidean norm of all gradients taken together. A parameter without a gradient counts as zero. Summed in double,
/// in an order that depends on the sizes alone.
double GradNorm(const std::vector<Tensor>& parameters);

/// Scales all gradients by max_norm / norm if their common norm exceeds `max_norm`. Returns the norm before scaling.
/// Throws Error unless max_norm is at least 0. If the norm is not finite, neither are all gradients afterwards (an
/// infinite one becomes a NaN, and finite ones beside it 0), so check the norm before an optimizer takes them. Pascanu
/// et al., "On the difficulty of training recurrent neural networks", 2013.
double ClipGradNorm(const std::vector<Tensor>& parameters, double max_norm);

/// The same for callers that already have the gradients' `norm` from GradNorm, so that they are not read again.
void ClipGradNorm(const std::vector<Tensor>& parameters, double max_norm, double norm);

}  // namespace twofour::optim
