#pragma once

#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::optim {

/// The Euclidean norm of all gradients taken together; parameters without one count as zero. Summed in double, in an
/// order that depends on the sizes alone.
double GradNorm(const std::vector<Tensor>& parameters);

/// Scales all gradients by max_norm / norm where their common norm exceeds `max_norm`. Returns the norm before.
/// Throws Error unless max_norm is at least 0. Pascanu et al., "On the difficulty of training recurrent neural
/// networks", 2013.
double ClipGradNorm(const std::vector<Tensor>& parameters, double max_norm);

/// The same where the gradients' `norm` is known, as GradNorm gave it: spares reading them all again.
void ClipGradNorm(const std::vector<Tensor>& parameters, double max_norm, double norm);

}  // namespace twofour::optim
