#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// A Gram matrix that can be factored.
struct DampenedGram {
  Tensor matrix;                        ///< f64 [n, n], with what was added.
  Tensor inverse_factor;                ///< f64 [n, n], upper: see CholeskyOfInverse.
  double dampening = 0;                 ///< The share of the mean of the diagonal that was added to the diagonal.
  std::vector<bool> dead;               ///< Features that are always 0: their diagonal was set to 1.
  std::vector<std::string> notes = {};  ///< One if the dampening had to be raised.
};

/// Adds `dampening` times the mean of the diagonal to the diagonal of `gram` f64 [n, n] and factors the inverse. If the
/// sum is not positive definite in double, tries ten times as much, and so on. Throws Error (a runtime failure), naming
/// `name`, if that does not help: then the matrix is no Gram matrix. Throws Error on another tensor, and on a dampening
/// that is negative or not finite.
DampenedGram FactorDampened(const Tensor& gram, double dampening, std::string_view name);

}  // namespace twofour::sparse
