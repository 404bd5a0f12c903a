#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"

namespace twofour::sparse {

/// What lists of non-zeros have in common, whatever the dtype of their values.
class NonZeroLists {
 public:
  /// Offsets count units of 8 bytes, by which processors scale an index for free.
  static constexpr int64_t kUnit = 8;
  /// With at most this share of non-zeros, blocks of columns are wide. Then lists are so short that their ends, each of
  /// which is a mispredicted branch, would take longer than it does to fetch rows of the dense matrix from the
  /// second-level cache.
  static constexpr double kFew = 0.15;

  /// Which dimension of a PanelMatrix [batch, features] becomes the rows.
  enum class Rows {
    kBatch,     ///< Columns are features: for c_proj's forward and c_fc's input gradient.
    kFeatures,  ///< Columns are batch rows: for the weight gradients.
  };

  virtual ~NonZeroLists() = default;
};

/// The non-zeros, as f32, of a matrix with exact zeros, which ReLU^2 leaves, for products with a dense matrix.
///
/// Rows go in pairs. Each column of a pair has a code, which says in which of the two rows it is not zero (bit r for
/// row r). Columns are cut into blocks, so that a cache can hold the block's rows of the dense matrix.
/// Within a block, the columns of a pair are sorted by code, and in ascending order within a code. So a loop over one
/// code knows its rows at compile time, and each row of the dense matrix that it loads serves both of them. Larger
/// groups of rows would load less. But they would need more loops, each of which ends in a mispredicted branch.
class ActivationLists final : public NonZeroLists {
 public:
  static constexpr int kGroupRows = 2;
  static constexpr int kCodes = 4;  ///< Code 0 means no row and has no entries.
  using Ends = std::array<uint32_t, kCodes>;

  /// With kFeatures, the number of features is even. Blocks have about `block_cols` columns (whole panels for
  /// kFeatures). Offsets count `column_units` for each column. The product of the two is at most 2^16.
  ActivationLists(const PanelMatrix& matrix, Rows rows, int64_t block_cols, int64_t column_units);
  /// Lists of other values with the same zeros: nothing is counted again.
  ActivationLists(const PanelMatrix& matrix, const ActivationLists& same_zeros);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t groups() const { return groups_; }
  int64_t block_cols() const { return block_cols_; }
  int64_t blocks() const { return blocks_; }

  /// The entries of a group within a block begin where code 0 ends. Those of each code end where this says.
  const Ends& ends(int64_t block, int64_t group) const {
    return (*ends_)[static_cast<size_t>(block * groups_ + group)];
  }
  /// For each entry: its column within the block, in units, and the values of both rows there, zeros included.
  const uint16_t* offsets() const { return offsets_; }
  const float (*values() const)[kGroupRows] { return values_; }

 private:
  void CountBatchGroups(const PanelMatrix& matrix);
  void CountFeatureGroups(const PanelMatrix& matrix);
  void AddUp();
  void Allocate();
  void Fill(const PanelMatrix& matrix);
  template <typename T>
  void FillBatchGroups(const PanelMatrix& matrix);
  template <typename T>
  void FillFeatureGroups(const PanelMatrix& matrix);

  Rows orientation_;
  int64_t rows_, cols_, groups_, block_cols_, blocks_, column_units_;
  std::shared_ptr<std::vector<Ends>> ends_;  // [blocks, groups]
  uint32_t entries_ = 0;
  std::unique_ptr<Storage> storage_;
  float (*values_)[kGroupRows] = nullptr;  // In the storage.
  uint16_t* offsets_ = nullptr;            // In the storage.
};

}  // namespace twofour::sparse
