#include "twofour/sparse/scores/ria_scores.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/finite_weight.h"

namespace twofour::sparse {
namespace {

/// The root of each norm.
std::vector<double> Factors(const Tensor& norms, std::string_view name) {
  std::vector<double> factors;
  const float* const data = norms.data<float>();
  for (int64_t col = 0; col < norms.numel(); ++col) {
    if (!std::isfinite(data[col]) || data[col] < 0) {
      throw Error(
          fmt::format("{}: norm {} of its inputs is {}, expected a finite number of at least 0", name, col, data[col]));
    }
    factors.push_back(std::sqrt(static_cast<double>(data[col])));
  }
  return factors;
}

double Share(double part, double sum) { return sum > 0 ? part / sum : 0; }

}  // namespace

Tensor RiaScores(const Tensor& weight, const Tensor& norms, std::string_view name) {
  ops::RequireDType("RiaScores", name, weight, DType::kF32);
  ops::RequireDType("RiaScores", "norms", norms, DType::kF32);
  if (weight.rank() != 2) throw Error(fmt::format("{}: shape {}, expected a matrix", name, ToString(weight.shape())));
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  if (norms.shape() != Shape{cols}) {
    throw Error(fmt::format("{}: norms of shape {} for a weight {}, expected [{}]", name, ToString(norms.shape()),
                            ToString(weight.shape()), cols));
  }
  const std::vector<double> factors = Factors(norms, name);
  RequireFinite(weight, name);
  const float* const w = weight.data<float>();
  std::vector<double> column_sums(static_cast<size_t>(cols));
  ParallelFor(cols, RowGrain(rows), [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = begin; col < end; ++col)
        column_sums[static_cast<size_t>(col)] += std::fabs(w[row * cols + col]);
    }
  });
  Tensor scores = Tensor::Empty(weight.shape());
  float* const out = scores.mutable_data<float>();
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const from = w + row * cols;
      double row_sum = 0;
      for (int64_t col = 0; col < cols; ++col) row_sum += std::fabs(from[col]);
      for (int64_t col = 0; col < cols; ++col) {
        const auto at = static_cast<size_t>(col);
        const double magnitude = std::fabs(from[col]);
        out[row * cols + col] =
            static_cast<float>((Share(magnitude, row_sum) + Share(magnitude, column_sums[at])) * factors[at]);
      }
    }
  });
  return scores;
}

}  // namespace twofour::sparse
