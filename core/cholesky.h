#pragma once

#include <optional>

#include "twofour/core/tensor.h"

namespace twofour {

/// The upper triangular U with positive diagonal for which U^T U is the inverse of a symmetric positive definite matrix
/// f64 [n, n]: what torch.linalg.cholesky(torch.linalg.inv(A), upper=True) gives, without an inverse. Only the upper
/// half of the matrix is read. Below its diagonal U is 0. Nothing if the matrix is not positive definite in double, for
/// which NaN and infinity count, too. Throws Error on another tensor. It takes 2/3 n^3 multiply-adds.
std::optional<Tensor> CholeskyOfInverse(const Tensor& matrix);

/// The inverse of such a matrix, symmetric to the bit.
std::optional<Tensor> InverseOfPositive(const Tensor& matrix);

}  // namespace twofour
