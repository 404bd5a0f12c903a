#pragma once

#include <optional>

#include "twofour/core/tensor.h"
#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// Square blocks of which each is zero as a whole or has no zeros.
struct ZeroBlocks {
  int size = 0;      ///< Rows, and columns, of a block.
  double share = 0;  ///< Of the blocks that are zero, in (0, 1].
  bool operator==(const ZeroBlocks&) const = default;
};

// Which patterns the zeros of an f32 matrix have, besides those of group_pattern.h. -0 is zero, a NaN is not. Throw
// Error for another tensor.

/// Of the V:N:M patterns with v of 4, 8, 16, ... 256 that hold, the sparsest: that of the largest m and, with this m,
/// of the largest v. A v that is larger than the number of rows needs says nothing more, and is left out. The inner
/// pattern is transposable where that holds. Nothing where none holds, and for a matrix of fewer than 4 rows or 5
/// columns.
std::optional<VnmPattern> FindVnmPattern(const Tensor& matrix);

/// The largest blocks of 4x4, 8x8, 16x16, 32x32 and 64x64 such that all zeros lie in blocks that are zero, and at least
/// a tenth of the blocks is. Blocks at the edges may have fewer rows and columns, but no block is larger than the
/// matrix. Nothing where there are none.
std::optional<ZeroBlocks> FindZeroBlocks(const Tensor& matrix);

}  // namespace twofour::sparse
