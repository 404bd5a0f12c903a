#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/fused_mlp/activation_lists.h"
#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"

namespace twofour::sparse {

/// The non-zeros of a matrix for processors that multiply pairs of bf16. Columns are cut into blocks. Each row has a
/// list of entries within each block, in ascending order of columns. Entries are joined, two at a time: their values
/// make a pair. If their number is odd, the last is joined with zero.
class Bf16ActivationLists final : public NonZeroLists {
 public:
  /// Columns of the dense matrix that are multiplied together: so many bf16 of each of its rows lie side by side.
  static constexpr int64_t kPanel = 128;
  static constexpr int64_t kColumnUnits = kPanel * 2 / kUnit;

  /// Columns of a block. The first-level cache holds the dense matrix's rows for a narrow block.
  static constexpr int64_t kNarrowBlock = 128, kWideBlock = 512;
  static_assert(kWideBlock * kColumnUnits <= 1 << 16);

  /// Lists of which no entry is known yet.
  Bf16ActivationLists(const PanelMatrix& matrix, Rows orientation);

  Rows orientation() const { return orientation_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t block_cols() const { return block_cols_; }
  int64_t blocks() const { return blocks_; }

  /// The joined entries of a row within a block.
  struct List {
    int64_t count;
    const uint16_t (*offsets)[2];  ///< Both columns within the block, times kColumnUnits.
    const uint32_t* values;        ///< A pair of values.
  };
  List list(int64_t block, int64_t row) const {
    const uint32_t* const begin = &begins_[Index(block, row)];
    return {begin[1] - begin[0], offsets_ + begin[0], values_ + begin[0]};
  }

  /// Sets how many entries, before they are joined, a row has within a block.
  void SetCount(int64_t block, int64_t row, int64_t entries) {
    begins_[Index(block, row)] = static_cast<uint32_t>(CeilDiv(entries, 2));
  }
  /// Makes room for the entries that were counted.
  void Allocate();
  /// Where the entries of a row within a block go.
  struct Target {
    uint16_t* offsets;
    uint16_t* values;
  };
  Target target(int64_t block, int64_t row) {
    const uint32_t begin = begins_[Index(block, row)];
    return {offsets_[begin], reinterpret_cast<uint16_t*>(values_ + begin)};
  }

 private:
  size_t Index(int64_t block, int64_t row) const { return static_cast<size_t>(block * rows_ + row); }

  Rows orientation_;
  int64_t rows_, cols_, block_cols_, blocks_;
  std::vector<uint32_t> begins_;  // [blocks, rows], and one more.
  std::unique_ptr<Storage> storage_;
  uint32_t* values_ = nullptr;        // In the storage.
  uint16_t (*offsets_)[2] = nullptr;  // In the storage.
};

}  // namespace twofour::sparse
