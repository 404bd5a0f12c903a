#include "twofour/sparse/vnm_pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {
namespace {

constexpr int kMostRows = 256, kFewestColumns = 5;

/// A part of a matrix: its rows [top, bottom) and columns [left, right).
struct Block {
  int64_t top, bottom, left, right;
};

template <typename Keeps>
std::optional<std::string> ViolationIn(const Block& block, const VnmPattern& pattern, const Keeps& keeps) {
  const auto where = [&] {
    return fmt::format("rows {} to {}, columns {} to {}", block.top, block.bottom - 1, block.left, block.right - 1);
  };
  int columns = 0;
  for (int64_t col = block.left; col < block.right; ++col) {
    bool any = false;
    for (int64_t row = block.top; row < block.bottom; ++row) any = any || keeps(row, col);
    columns += any;
  }
  if (columns > VnmPattern::kColumns) {
    return fmt::format("{} columns are not zero in {}; at most {} are allowed", columns, where(), VnmPattern::kColumns);
  }
  for (int64_t row = block.top; row < block.bottom; ++row) {
    int kept = 0;
    for (int64_t col = block.left; col < block.right; ++col) kept += keeps(row, col);
    if (kept > pattern.n) {
      return fmt::format("{} non-zero entries in row {}, columns {} to {}; at most {} are allowed", kept, row,
                         block.left, block.right - 1, pattern.n);
    }
  }
  if (pattern.inner == VnmInner::kRows) return std::nullopt;
  for (int64_t row = block.top; row < block.bottom; row += kTileSize) {
    const int64_t end = std::min(row + kTileSize, block.bottom);
    for (int64_t col = block.left; col < block.right; ++col) {
      int kept = 0;
      for (int64_t r = row; r < end; ++r) kept += keeps(r, col);
      if (kept > 2) {
        return fmt::format("{} non-zero entries in column {}, rows {} to {}; at most 2 are allowed", kept, col, row,
                           end - 1);
      }
    }
  }
  return std::nullopt;
}

template <typename Keeps>
std::optional<std::string> FindViolation(int64_t rows, int64_t cols, const VnmPattern& pattern, const Keeps& keeps) {
  Checked(pattern, "");
  for (int64_t top = 0; top < rows; top += pattern.v) {
    for (int64_t left = 0; left < cols; left += pattern.m) {
      const Block block{top, std::min(top + pattern.v, rows), left, std::min(left + pattern.m, cols)};
      if (auto violation = ViolationIn(block, pattern, keeps)) return violation;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view NameOf(VnmInner inner) { return inner == VnmInner::kRows ? "rows" : "transposable"; }

std::string VnmPattern::ToString() const {
  return fmt::format("{}:{}:{}{}", v, n, m, inner == VnmInner::kRows ? " along rows" : "");
}

void Check(const VnmPattern& pattern, const FieldPath& at, Faults& faults) {
  const auto expect = [&](bool holds, const char* field, int value, const std::string& expected) {
    faults.Expect(holds, at(field), value, expected,
                  fmt::format("V:N:M pattern {}: {} is {}, expected {}", pattern.ToString(), field, value, expected));
  };
  expect(pattern.v >= kTileSize && pattern.v <= kMostRows && pattern.v % kTileSize == 0, "v", pattern.v,
         fmt::format("a multiple of {} from {} to {}", kTileSize, kTileSize, kMostRows));
  expect(pattern.n == 2, "n", pattern.n, "2");
  expect(pattern.m >= kFewestColumns && pattern.m <= kMostVnmColumns, "m", pattern.m,
         fmt::format("{} to {}", kFewestColumns, kMostVnmColumns));
}

std::optional<std::string> FindVnmViolation(const MaskView& mask, const VnmPattern& pattern) {
  return FindViolation(mask.rows, mask.cols, pattern, [&](int64_t row, int64_t col) { return mask.Keeps(row, col); });
}

std::optional<std::string> FindVnmViolation(const Tensor& matrix, const VnmPattern& pattern) {
  ops::RequireDType("FindVnmViolation", "matrix", matrix, DType::kF32);
  if (matrix.rank() != 2) {
    throw Error(fmt::format("V:N:M pattern: shape {}, expected a matrix", twofour::ToString(matrix.shape())));
  }
  const float* const x = matrix.data<float>();
  const int64_t cols = matrix.dim(1);
  return FindViolation(matrix.dim(0), cols, pattern,
                       [&](int64_t row, int64_t col) { return x[row * cols + col] != 0.0f; });
}

}  // namespace twofour::sparse
