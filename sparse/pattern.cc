#include "twofour/sparse/pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kGroup = 4;
constexpr int kKept = 2;

std::optional<PatternViolation> FindAlong(const Tensor& matrix, PatternAxis axis) {
  const int64_t rows = matrix.dim(0), cols = matrix.dim(1);
  const int64_t row_step = axis == PatternAxis::kRows ? 1 : kGroup, col_step = axis == PatternAxis::kRows ? kGroup : 1;
  const float* x = matrix.data<float>();
  for (int64_t row = 0; row < rows; row += row_step) {
    for (int64_t col = 0; col < cols; col += col_step) {
      const int64_t row_end = std::min(rows, row + row_step), col_end = std::min(cols, col + col_step);
      int nonzeros = 0;
      for (int64_t r = row; r < row_end; ++r) {
        for (int64_t c = col; c < col_end; ++c) nonzeros += x[r * cols + c] != 0.0f;
      }
      if (nonzeros > kKept) return PatternViolation{axis, row, col, (row_end - row) * (col_end - col), nonzeros};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string PatternViolation::ToString() const {
  if (axis == PatternAxis::kRows) {
    return fmt::format("{} non-zero entries in row {}, columns {} to {}; at most {} are allowed", nonzeros, row, col,
                       col + entries - 1, kKept);
  }
  return fmt::format("{} non-zero entries in column {}, rows {} to {}; at most {} are allowed", nonzeros, col, row,
                     row + entries - 1, kKept);
}

std::optional<PatternViolation> FindPatternViolation(const Tensor& matrix, PatternAxis axis) {
  ops::RequireDType("FindPatternViolation", "matrix", matrix, DType::kF32);
  if (matrix.rank() != 2) {
    throw Error(fmt::format("2:4 pattern: shape {}, expected a matrix", twofour::ToString(matrix.shape())));
  }
  if (axis != PatternAxis::kBoth) return FindAlong(matrix, axis);
  const auto along_rows = FindAlong(matrix, PatternAxis::kRows);
  return along_rows ? along_rows : FindAlong(matrix, PatternAxis::kColumns);
}

}  // namespace twofour::sparse
