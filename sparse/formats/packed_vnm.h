#pragma once

#include <cstdint>
#include <string>

#include "twofour/core/tensor.h"
#include "twofour/sparse/formats/stored_groups.h"
#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// A V:N:M weight [rows, cols] in twofour's own packed form. It has ceil(rows / v) blocks of rows, and each row has
/// groups = ceil(cols / m) groups. Both inner patterns keep two of four columns in each row, so one form serves both.
/// docs/formats.md describes it for readers written in other languages.
struct PackedVnm {
  Tensor values;  ///< [rows, 2 * groups], in the weight's dtype: of each group the two stored entries, in their order.
  /// u8 [rows, ceil(groups / 2)]: four bits for each group, from the lowest bit of a row's first byte on. They say in
  /// which of the four columns its two values lie: two bits each, the first in the lowest, ascending. Four bits that
  /// are left over are 0.
  Tensor positions;
  /// u8 [blocks of rows, groups, 4]: the columns that a block keeps, counted from the group's first, ascending.
  Tensor columns;
  Tensor pattern;  ///< i64 [5]: rows, cols, v, 2, m.
};

/// Packs a matrix of any floating dtype and any size. Where a block has fewer than four columns that are not zero, the
/// first others stand in, and so do the first zeros where a row has fewer than two non-zeros. Columns beyond the last
/// one have the value +0. Throws Error, beginning with `name`, on another tensor, on a pattern that Check finds fault
/// with, and, naming rows and columns, where the weight does not have the pattern along rows.
PackedVnm PackVnm(const Tensor& weight, const VnmPattern& pattern, const std::string& name);

/// The dense weight, +0 where nothing was stored. The parts need not be trustworthy: throws as VnmReader does.
Tensor UnpackVnm(const PackedVnm& packed, const std::string& name);

/// Reads parts that need not be trustworthy. They must outlive it.
class VnmReader {
 public:
  /// Checks everything. Throws Error, beginning with `name`, on dtypes and shapes that do not fit together, on columns
  /// that leave their block or do not ascend, on positions that do not ascend, on values other than 0 beyond the last
  /// column, and on bits left over that are not 0.
  VnmReader(const PackedVnm& packed, const std::string& name, StoredValues kind = StoredValues::kFloats);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t groups() const { return groups_; }
  int64_t row_blocks() const { return row_blocks_; }
  const VnmPattern& pattern() const { return pattern_; }
  /// Column `which` (0 to 3) of a block, in the matrix. In the last group it may lie beyond the last one.
  int64_t ColumnAt(int64_t row_block, int64_t group, int64_t which) const {
    return group * pattern_.m + columns_[(row_block * groups_ + group) * VnmPattern::kColumns + which];
  }
  /// Which of the four columns value `which` (0 or 1) of a row's group lies in.
  int PositionAt(int64_t row, int64_t group, int64_t which) const {
    return positions_[row * row_bytes_ + group / 2] >> (group % 2 * 4 + which * 2) & 3;
  }

 private:
  void RequireColumnsInBlocks(const std::string& name) const;
  void RequirePositions(const Tensor& values, const std::string& name) const;

  int64_t rows_ = 0, cols_ = 0, groups_ = 0, row_blocks_ = 0, row_bytes_ = 0;
  VnmPattern pattern_;
  const uint8_t *columns_ = nullptr, *positions_ = nullptr;
};

}  // namespace twofour::sparse
