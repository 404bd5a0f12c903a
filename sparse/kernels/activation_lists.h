#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/panel_matrix.h"

namespace twofour::sparse {

/// The non-zeros of a matrix with exact zeros (ReLU^2 leaves them), for products with a dense one. Rows go in groups of
/// four; a column of a group has a code, the set of rows that are not zero in it (bit r for row r), and a group's
/// columns stand sorted by code, ascending within one. A loop over one code knows its rows at compile time, and each
/// row of the dense matrix that it loads serves all of them.
class ActivationLists {
 public:
  static constexpr int kGroupRows = 4;
  static constexpr int kCodes = 16;  ///< Code 0, no row, has no entries.
  using Ends = std::array<uint32_t, kCodes>;

  /// Which dimension of a PanelMatrix [batch, features] becomes the rows.
  enum class Rows {
    kBatch,     ///< Columns are features: for c_proj's forward and c_fc's input gradient.
    kFeatures,  ///< Columns are batch rows: for the weight gradients. features must be a multiple of 4.
  };
  ActivationLists(const PanelMatrix& matrix, Rows rows);
  /// Lists of other values with the same zeros: what was counted need not be counted again.
  ActivationLists(const PanelMatrix& matrix, const ActivationLists& same_zeros);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t groups() const { return static_cast<int64_t>(ends_->size()) - 1; }

  /// A group's entries begin here, and those of each code end where ends(group) says.
  uint32_t begin(int64_t group) const { return (*ends_)[group].back(); }
  const Ends& ends(int64_t group) const { return (*ends_)[group + 1]; }
  /// Of each entry: its column, and the four values there, zeros included.
  const int32_t* columns() const { return columns_; }
  const float (*values() const)[kGroupRows] { return values_; }

 private:
  void CountBatchGroups(const PanelMatrix& matrix);
  void CountFeatureGroups(const PanelMatrix& matrix);
  void AddUp();
  void Allocate(int64_t panels);
  void FillBatchGroups(const PanelMatrix& matrix);
  void FillFeatureGroups(const PanelMatrix& matrix);

  Rows orientation_;
  int64_t rows_, cols_;
  std::shared_ptr<std::vector<Ends>> ends_;  // Before the first group, and after each.
  std::unique_ptr<Storage> storage_;
  float (*values_)[kGroupRows] = nullptr;  // In the storage.
  int32_t* columns_ = nullptr;             // In the storage.
};

}  // namespace twofour::sparse
