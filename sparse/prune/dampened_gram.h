#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// The largest dampening. Above it, a Gram matrix would be hardly more than its diagonal.
inline constexpr double kMostDampening = 1e3;

/// A Gram matrix that can be factored.
struct DampenedGram {
  Tensor matrix;                        ///< f64 [n, n], with what was added.
  Tensor inverse_factor;                ///< f64 [n, n], upper: see CholeskyOfInverse.
  double dampening = 0;                 ///< The share of the mean of the diagonal that was added to the diagonal.
  std::vector<bool> dead;               ///< Features that are always 0.
  std::vector<std::string> notes = {};  ///< One if there are dead features, and one if the dampening had to be raised.
};

/// Adds `dampening` times the mean of the diagonal to the diagonal of `gram` f64 [n, n] and factors the inverse. Dead
/// features, whose diagonal is exactly 0, do not count in the mean, and get it as their diagonal (1 if all are dead):
/// so nothing depends on the unit of the inputs. If the sum is not positive definite in double, tries ten times as much
/// dampening, and so on.
///
/// Throws Error (a runtime failure), naming `name`, on entries that are not finite, and if more dampening does not
/// help: then the matrix is no Gram matrix. Throws Error on another tensor, and on a dampening that is not in
/// [0, kMostDampening].
DampenedGram FactorDampened(const Tensor& gram, double dampening, std::string_view name);

}  // namespace twofour::sparse
