#include "twofour/sparse/group_pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::sparse {

std::string GroupPattern::ToString() const { return fmt::format("{}:{}", n, m); }

int64_t MostNonZerosOfAGroup(const Tensor& matrix, PatternAxis axis, int64_t m) {
  ops::RequireDType("MostNonZerosOfAGroup", "matrix", matrix, DType::kF32);
  if (matrix.rank() != 2) {
    throw Error(fmt::format("N:M pattern: shape {}, expected a matrix", twofour::ToString(matrix.shape())));
  }
  if (m < 1) throw Error(fmt::format("N:M pattern: groups of {}, expected at least 1", m));
  const int64_t rows = matrix.dim(0), cols = matrix.dim(1);
  const float* const x = matrix.data<float>();
  int64_t most = 0;
  // One count for each column; along rows only the first is in use.
  std::vector<int64_t> counts(static_cast<size_t>(axis == PatternAxis::kRows ? 1 : cols));
  for (int64_t row = 0; row < rows; ++row) {
    if (axis == PatternAxis::kColumns && row % m == 0) std::ranges::fill(counts, 0);
    for (int64_t col = 0; col < cols; ++col) {
      if (axis == PatternAxis::kRows && col % m == 0) counts[0] = 0;
      int64_t& count = counts[static_cast<size_t>(axis == PatternAxis::kRows ? 0 : col)];
      count += x[row * cols + col] != 0.0f;
      most = std::max(most, count);
    }
  }
  return most;
}

std::vector<GroupPattern> FindGroupPatterns(const Tensor& matrix, PatternAxis axis) {
  std::vector<GroupPattern> found;
  for (const int64_t m : {4, 8, 16, 32}) {
    if (matrix.rank() == 2 && matrix.dim(axis == PatternAxis::kRows ? 1 : 0) < m) break;
    const int64_t n = MostNonZerosOfAGroup(matrix, axis, m);
    const bool implied = std::ranges::any_of(found, [&](const GroupPattern& p) { return n >= m / p.m * p.n; });
    if (n < m && !implied) found.push_back({n, m});
  }
  return found;
}

}  // namespace twofour::sparse
