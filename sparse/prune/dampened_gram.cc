#include "twofour/sparse/prune/dampened_gram.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <optional>

#include "twofour/core/cholesky.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::sparse {
namespace {

/// Where no dampening was asked for, the first that is tried after 0.
constexpr double kLeast = 1e-6;
/// Above this the matrix is hardly more than its diagonal.
constexpr double kMost = 1e3;

}  // namespace

DampenedGram FactorDampened(const Tensor& gram, double dampening, std::string_view name) {
  ops::RequireDType("FactorDampened", name, gram, DType::kF64);
  if (gram.rank() != 2 || gram.dim(0) != gram.dim(1) || gram.dim(0) == 0) {
    throw Error(fmt::format("{}: a Gram matrix of shape {}, expected [n, n]", name, ToString(gram.shape())));
  }
  if (!(dampening >= 0) || !std::isfinite(dampening)) {
    throw Error(fmt::format("{}: dampening {}, expected a finite number of at least 0", name, dampening));
  }
  const int64_t n = gram.dim(0);
  DampenedGram result{
      .matrix = {}, .inverse_factor = {}, .dampening = dampening, .dead = std::vector<bool>(static_cast<size_t>(n))};
  Tensor matrix = gram.Clone();
  double* const data = matrix.mutable_data<double>();
  double mean = 0;
  for (int64_t i = 0; i < n; ++i) {
    double& entry = data[i * n + i];
    if (entry == 0) {
      result.dead[static_cast<size_t>(i)] = true;
      entry = 1;
    }
    mean += entry / static_cast<double>(n);
  }
  double added = 0;
  while (result.dampening <= kMost) {
    const double more = result.dampening * mean - added;
    for (int64_t i = 0; i < n; ++i) data[i * n + i] += more;
    added += more;
    if (std::optional<Tensor> factor = CholeskyOfInverse(matrix)) {
      result.inverse_factor = std::move(*factor);
      result.matrix = std::move(matrix);
      if (result.dampening > dampening) {
        result.notes.push_back(fmt::format(
            "{}: the inputs' Gram matrix is not positive definite with a dampening of {:g}; it was raised to {:g}",
            name, dampening, result.dampening));
      }
      return result;
    }
    result.dampening = std::max(10 * result.dampening, kLeast);
  }
  throw Error(fmt::format("{}: the inputs' Gram matrix cannot be factored with any dampening from {:g} to {:g}", name,
                          dampening, kMost),
              ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::sparse
