#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"

namespace twofour::sparse {

/// The non-zeros of a matrix with exact zeros (ReLU^2 leaves them), for products with a dense one. Rows go in pairs; a
/// column of a pair has a code, the set of rows that are not zero in it (bit r for row r). Columns are cut into blocks,
/// whose rows of the dense matrix the first-level cache is to hold, and within a block a pair's columns stand sorted by
/// code, ascending within one: a loop over one code knows its rows at compile time, and each row of the dense matrix
/// that it loads serves both of them. (Larger groups load less, but have more loops, each of which ends in a
/// mispredicted branch.)
class ActivationLists {
 public:
  static constexpr int kGroupRows = 2;
  static constexpr int kCodes = 4;  ///< Code 0, no row, has no entries.
  using Ends = std::array<uint32_t, kCodes>;

  /// Which dimension of a PanelMatrix [batch, features] becomes the rows.
  enum class Rows {
    kBatch,     ///< Columns are features: for c_proj's forward and c_fc's input gradient.
    kFeatures,  ///< Columns are batch rows: for the weight gradients. features must be even.
  };
  /// Blocks are of about `block_cols` columns (whole panels, for kFeatures), and offsets count `column_bytes` for each:
  /// together at most 64 KiB.
  ActivationLists(const PanelMatrix& matrix, Rows rows, int64_t block_cols, int64_t column_bytes);
  /// Lists of other values with the same zeros: what was counted need not be counted again.
  ActivationLists(const PanelMatrix& matrix, const ActivationLists& same_zeros);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t groups() const { return groups_; }
  int64_t block_cols() const { return block_cols_; }
  int64_t blocks() const { return blocks_; }

  /// A group's entries within a block begin where code 0 ends, and those of each code end where this says.
  const Ends& ends(int64_t block, int64_t group) const {
    return (*ends_)[static_cast<size_t>(block * groups_ + group)];
  }
  /// Of each entry: its column within the block, in bytes, and the values of both rows there, zeros included.
  const uint16_t* offsets() const { return offsets_; }
  const float (*values() const)[kGroupRows] { return values_; }

 private:
  void CountBatchGroups(const PanelMatrix& matrix);
  void CountFeatureGroups(const PanelMatrix& matrix);
  void AddUp();
  void Allocate();
  void FillBatchGroups(const PanelMatrix& matrix);
  void FillFeatureGroups(const PanelMatrix& matrix);

  Rows orientation_;
  int64_t rows_, cols_, groups_, block_cols_, blocks_, column_bytes_;
  std::shared_ptr<std::vector<Ends>> ends_;  // [blocks, groups]
  uint32_t entries_ = 0;
  std::unique_ptr<Storage> storage_;
  float (*values_)[kGroupRows] = nullptr;  // In the storage.
  uint16_t* offsets_ = nullptr;            // In the storage.
};

}  // namespace twofour::sparse
