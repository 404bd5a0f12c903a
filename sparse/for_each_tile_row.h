#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// Calls body(tile_row) for each row of tiles of a mask, on any thread: no two threads get the same tile.
template <typename Body>
void ForEachTileRow(const MaskView& mask, const Body& body) {
  ParallelFor(mask.tile_rows(), RowGrain(mask.cols * kTileSize), [&](int64_t begin, int64_t end) {
    for (int64_t tile_row = begin; tile_row < end; ++tile_row) body(tile_row);
  });
}

/// The elements [4, cols] of one row of tiles of a matrix [mask.rows, mask.cols], as passes over tiles need them: four
/// whole rows, with `cols` a multiple of 4 (or of `multiple_of`, if a pass needs more). Uses the matrix itself if it
/// has this form, or else a copy that is padded with zeros.
class TileRow {
 public:
  TileRow(const MaskView& mask, int64_t tile_row, const float* matrix, int64_t multiple_of = kTileSize)
      : first_(tile_row * kTileSize),
        rows_(std::min<int64_t>(kTileSize, mask.rows - first_)),
        matrix_cols_(mask.cols),
        cols_(RoundUp(mask.cols, multiple_of)),
        data_(matrix + first_ * matrix_cols_) {
    if (rows_ == kTileSize && cols_ == matrix_cols_) return;
    copy_.resize(static_cast<size_t>(kTileSize * cols_));
    for (int64_t r = 0; r < rows_; ++r) std::copy_n(data_ + r * matrix_cols_, matrix_cols_, copy_.data() + r * cols_);
    data_ = copy_.data();
  }
  TileRow(const TileRow&) = delete;
  TileRow& operator=(const TileRow&) = delete;

  int64_t cols() const { return cols_; }
  const float* data() const { return data_; }

  /// Calls write(out), where `out` has room for [4, cols()] and holds what `matrix` holds there. The result is in
  /// `matrix` afterwards.
  template <typename Write>
  void Into(float* matrix, const Write& write) const {
    float* const out = matrix + first_ * matrix_cols_;
    if (copy_.empty()) return write(out);
    std::vector<float> room(copy_.size());
    for (int64_t r = 0; r < rows_; ++r) std::copy_n(out + r * matrix_cols_, matrix_cols_, room.data() + r * cols_);
    write(room.data());
    for (int64_t r = 0; r < rows_; ++r) std::copy_n(room.data() + r * cols_, matrix_cols_, out + r * matrix_cols_);
  }

 private:
  int64_t first_, rows_, matrix_cols_, cols_;
  const float* data_;
  std::vector<float> copy_;  // Empty if the matrix itself is used.
};

}  // namespace twofour::sparse
