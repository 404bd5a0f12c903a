#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// The groups of four in which a matrix must be 2:4.
enum class PatternAxis {
  kRows,     ///< Four neighbours in a row: a product with W can use this.
  kColumns,  ///< Four neighbours in a column: a product with W transposed can use this.
  kBoth,     ///< Both: a transposable pattern.
};

/// A group of four neighbours with more than two non-zero entries.
struct PatternViolation {
  PatternAxis axis;          ///< kRows or kColumns: the direction of the group.
  int64_t row = 0, col = 0;  ///< Its first entry.
  int64_t entries = 4;       ///< Fewer at the edge.
  int nonzeros = 0;
  /// "3 non-zero entries in row 4, columns 8 to 11; at most 2 are allowed".
  std::string ToString() const;
};

/// The first group of an f32 matrix [rows, cols] that holds more than two non-zeros; nothing if the matrix is 2:4. -0
/// is zero, a NaN is not. Rows are checked before columns. A shorter group at the edge may also hold two. Throws Error
/// for a tensor that is no matrix.
std::optional<PatternViolation> FindPatternViolation(const Tensor& matrix, PatternAxis axis);

}  // namespace twofour::sparse
