#pragma once

#include <cstdint>
#include <string>

#include "twofour/core/tensor.h"
#include "twofour/sparse/formats/stored_groups.h"
#include "twofour/sparse/group_pattern.h"

namespace twofour::sparse {

/// A weight [rows, cols] of which at most n of m neighbours along each row are not zero, in twofour's own packed form.
/// A row has ceil(cols / m) groups, and each group stores n entries. docs/formats.md describes the form for readers
/// written in other languages.
struct PackedGroups {
  Tensor values;  ///< [rows, groups * n], in the weight's dtype: of each group the stored entries, in their order.
  /// u8 [rows, ceil(groups * n * b / 8)], where b is the number of bits of m - 1: for each value its place in its
  /// group, as b bits. The places of a row follow each other from the lowest bit of its first byte on; bits that are
  /// left over are 0. Places of a group ascend.
  Tensor positions;
  Tensor pattern;  ///< i64 [4]: rows, cols, n, m.
};

/// Packs a matrix of any floating dtype and any size. Where a group has fewer than n non-zeros, the first zeros are
/// stored, too; places beyond the last column have the value +0. Throws Error, beginning with `name`, on another
/// tensor, on a pattern without 1 <= n <= m <= 32, and, naming row and columns, where a group has more than n
/// non-zeros.
PackedGroups PackGroups(const Tensor& weight, const GroupPattern& pattern, const std::string& name);

/// The dense weight, +0 where nothing was stored. The parts need not be trustworthy: throws as GroupsReader does.
Tensor UnpackGroups(const PackedGroups& packed, const std::string& name);

/// Reads parts that need not be trustworthy. They must outlive it.
class GroupsReader {
 public:
  /// Checks everything. Throws Error, beginning with `name`, on dtypes and shapes that do not fit together, on places
  /// that do not ascend or do not exist, on values other than 0 beyond the last column, and on bits left over that are
  /// not 0.
  GroupsReader(const PackedGroups& packed, const std::string& name, StoredValues kind = StoredValues::kFloats);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  const GroupPattern& pattern() const { return pattern_; }
  /// Values of one row: n of each group.
  int64_t values() const { return values_; }
  /// The place in its group of value `at` of a row.
  int64_t PlaceOf(int64_t row, int64_t at) const;

 private:
  void RequirePlaces(const Tensor& values, const std::string& name) const;

  int64_t rows_ = 0, cols_ = 0, values_ = 0, row_bytes_ = 0;
  int bits_ = 0;
  GroupPattern pattern_;
  const uint8_t* positions_ = nullptr;
};

}  // namespace twofour::sparse
