#include "twofour/sparse/pattern_detection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {
namespace {

constexpr int kFewestRows = 4, kMostRows = 256, kFewestColumns = 5;
constexpr double kFewestBlocks = 0.1;

void RequireMatrix(const char* function, const Tensor& matrix) {
  ops::RequireDType(function, "matrix", matrix, DType::kF32);
  if (matrix.rank() == 2) return;
  throw Error(fmt::format("{}: shape {}, expected a matrix", function, twofour::ToString(matrix.shape())));
}

/// The share of blocks that are zero; nothing if another block has a zero.
std::optional<double> ShareOfZeroBlocks(const Tensor& matrix, int64_t size) {
  const int64_t rows = matrix.dim(0), cols = matrix.dim(1);
  const float* const x = matrix.data<float>();
  int64_t zero_blocks = 0;
  for (int64_t top = 0; top < rows; top += size) {
    for (int64_t left = 0; left < cols; left += size) {
      const int64_t bottom = std::min(top + size, rows), right = std::min(left + size, cols);
      int64_t zeros = 0;
      for (int64_t row = top; row < bottom; ++row) {
        zeros += std::count(x + row * cols + left, x + row * cols + right, 0.0f);
      }
      if (zeros != 0 && zeros != (bottom - top) * (right - left)) return std::nullopt;
      zero_blocks += zeros != 0;
    }
  }
  return static_cast<double>(zero_blocks) / static_cast<double>(CeilDiv(rows, size) * CeilDiv(cols, size));
}

}  // namespace

std::optional<VnmPattern> FindVnmPattern(const Tensor& matrix) {
  RequireMatrix("FindVnmPattern", matrix);
  if (matrix.dim(0) < kFewestRows) return std::nullopt;
  const auto holds = [&](const VnmPattern& pattern) { return !FindVnmViolation(matrix, pattern); };
  for (int m = static_cast<int>(std::min<int64_t>(kMostVnmColumns, matrix.dim(1))); m >= kFewestColumns; --m) {
    VnmPattern found{.v = kFewestRows, .m = m, .inner = VnmInner::kRows};
    if (!holds(found)) continue;
    // What holds for a number of rows holds for half of them, too.
    while (2 * found.v <= kMostRows && found.v < matrix.dim(0)) {
      const VnmPattern larger{.v = 2 * found.v, .m = m, .inner = VnmInner::kRows};
      if (!holds(larger)) break;
      found = larger;
    }
    const VnmPattern transposable{.v = found.v, .m = m, .inner = VnmInner::kTransposable};
    return holds(transposable) ? transposable : found;
  }
  return std::nullopt;
}

std::optional<ZeroBlocks> FindZeroBlocks(const Tensor& matrix) {
  RequireMatrix("FindZeroBlocks", matrix);
  for (const int size : {64, 32, 16, 8, 4}) {
    if (size > matrix.dim(0) || size > matrix.dim(1)) continue;
    const std::optional<double> share = ShareOfZeroBlocks(matrix, size);
    if (share && *share >= kFewestBlocks) return ZeroBlocks{size, *share};
    if (share == 0.0) break;  // No zeros at all.
  }
  return std::nullopt;
}

}  // namespace twofour::sparse
