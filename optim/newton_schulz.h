#pragma once

#include <cstdint>

#include "twofour/core/tensor.h"

namespace twofour::optim {

/// Makes the rows (or columns, where there are more rows) of an f32 matrix [rows, cols] nearly orthonormal: of X = U S
/// V^T about U V^T. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024: begins with X /
/// (|X|_F + 1e-7) and takes `steps` times
///   A = X X^T;   X = 3.4445 X - 4.7750 A X + 2.0315 A^2 X
/// Five steps bring singular values from 0.002 |X|_F upwards to between 0.68 and 1.21. A zero matrix stays zero.
/// Throws Error on what is no f32 matrix, and on steps below 0.
Tensor Orthogonalize(const Tensor& matrix, int steps);

}  // namespace twofour::optim
