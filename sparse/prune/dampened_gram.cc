#include "twofour/sparse/prune/dampened_gram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "twofour/core/cholesky.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"

namespace twofour::sparse {
namespace {

/// Where no dampening was asked for, the first that is tried after 0.
constexpr double kLeast = 1e-6;

/// Gives dead features the mean diagonal of the others, which it returns.
double FillDead(const std::vector<bool>& dead, Tensor& matrix) {
  const int64_t n = matrix.dim(0);
  double* const data = matrix.mutable_data<double>();
  const auto live = static_cast<double>(n - std::ranges::count(dead, true));
  double mean = live > 0 ? 0 : 1;
  for (int64_t i = 0; i < n; ++i) {
    if (!dead[static_cast<size_t>(i)]) mean += data[i * n + i] / live;
  }
  for (int64_t i = 0; i < n; ++i) {
    if (dead[static_cast<size_t>(i)]) data[i * n + i] = mean;
  }
  return mean;
}

}  // namespace

DampenedGram FactorDampened(const Tensor& gram, double dampening, std::string_view name) {
  ops::RequireDType("FactorDampened", name, gram, DType::kF64);
  if (gram.rank() != 2 || gram.dim(0) != gram.dim(1) || gram.dim(0) == 0) {
    throw Error(fmt::format("{}: a Gram matrix of shape {}, expected [n, n]", name, ToString(gram.shape())));
  }
  const int64_t n = gram.dim(0);
  if (const int64_t at = kernels::FindNonFinite(gram.numel(), gram.data<double>()); at >= 0) {
    throw Error(fmt::format("{}: element [{}, {}] of its inputs' Gram matrix is {}, expected finite ones", name, at / n,
                            at % n, gram.data<double>()[at]),
                ErrorKind::kRuntimeFailure);
  }
  if (!(dampening >= 0 && dampening <= kMostDampening)) {
    throw Error(fmt::format("{}: dampening {}, expected 0 to {}", name, dampening, kMostDampening));
  }
  DampenedGram result{
      .matrix = {}, .inverse_factor = {}, .dampening = dampening, .dead = std::vector<bool>(static_cast<size_t>(n))};
  Tensor matrix = gram.Clone();
  double* const data = matrix.mutable_data<double>();
  for (int64_t i = 0; i < n; ++i) result.dead[static_cast<size_t>(i)] = data[i * n + i] == 0;
  if (const auto count = std::ranges::count(result.dead, true); count > 0) {
    result.notes.push_back(
        fmt::format("{}: {} of its {} input features {} always 0 in the calibration data; {} weights count for nothing",
                    name, count, n, count == 1 ? "is" : "are", count == 1 ? "its" : "their"));
  }
  const double mean = FillDead(result.dead, matrix);
  double added = 0;
  while (result.dampening <= kMostDampening) {
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
                          dampening, kMostDampening),
              ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::sparse
