#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/fused_mlp/activation_lists.h"
#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"

namespace twofour::sparse {

/// ActivationLists for processors that multiply pairs of bf16. The entries of a code are joined, two at a time: their
/// values in one row make a pair. If their number is odd, the last is joined with zeros.
class Bf16ActivationLists final : public NonZeroLists {
 public:
  static constexpr int64_t kBlockCols = 128;
  /// Columns of the dense matrix that are multiplied together: so many bf16 of each of its rows lie side by side.
  static constexpr int64_t kPanel = 128;
  static constexpr int64_t kColumnBytes = kPanel * 2;

  /// Room for lists, whose `ends` hold counts first.
  Bf16ActivationLists(const PanelMatrix& matrix, Rows orientation)
      : orientation_(orientation),
        rows_(orientation == Rows::kBatch ? matrix.batch() : matrix.features()),
        cols_(orientation == Rows::kBatch ? matrix.features() : matrix.batch()),
        // All rows of the panels count, so that no group spans two panels.
        groups_((orientation == Rows::kBatch ? matrix.panels() * matrix.panel() : matrix.features()) / kGroupRows),
        blocks_(CeilDiv(cols_, kBlockCols)),
        ends_(static_cast<size_t>(blocks_ * groups_)) {}

  Rows orientation() const { return orientation_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t groups() const { return groups_; }
  int64_t blocks() const { return blocks_; }

  /// The joined entries of a group within a block begin where code 0 ends. Those of each code end where this says.
  const Ends& ends(int64_t block, int64_t group) const { return ends_[static_cast<size_t>(block * groups_ + group)]; }
  Ends& ends(int64_t block, int64_t group) { return ends_[static_cast<size_t>(block * groups_ + group)]; }

  /// Turns counts of joined entries into ends, and makes room for the entries.
  void Allocate();
  /// Makes the lists of pairs of batch rows. These are used if there are few non-zeros, so they are looked at one by
  /// one.
  void FillBatchGroups(const PanelMatrix& matrix);

  /// For each joined entry: both columns within the block, in bytes, and for each row of the group a pair of values.
  const uint16_t (*offsets() const)[2] { return offsets_; }
  uint16_t (*offsets())[2] { return offsets_; }
  const uint32_t (*values() const)[kGroupRows] { return values_; }
  uint32_t (*values())[kGroupRows] { return values_; }

 private:
  Rows orientation_;
  int64_t rows_, cols_, groups_, blocks_;
  std::vector<Ends> ends_;  // [blocks, groups]
  std::unique_ptr<Storage> storage_;
  uint32_t (*values_)[kGroupRows] = nullptr;  // In the storage.
  uint16_t (*offsets_)[2] = nullptr;          // In the storage.
};

}  // namespace twofour::sparse
