#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/mask_method.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/tile_array.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// Which entries of a [rows, cols] matrix of any size are kept, stored as one mask for each 4x4 tile. If a size is not
/// a multiple of 4, the last tiles reach beyond the matrix; they keep nothing there. If no tile keeps more than two
/// entries in a row or column, the matrix and its transpose are both 2:4, as the sparse kernels need.
class Mask {
 public:
  Mask() = default;
  /// Keeps nothing. Throws Error on a negative size and on more than 2^48 entries.
  Mask(int64_t rows, int64_t cols);
  /// From a bool tensor [rows, cols]. Throws Error on any other tensor.
  static Mask FromTensor(const Tensor& kept);

  bool empty() const { return tiles_.empty(); }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t tile_rows() const { return CeilDiv(rows_, kTileSize); }
  int64_t tile_cols() const { return CeilDiv(cols_, kTileSize); }
  /// Whether no tile reaches beyond the matrix.
  bool is_tiled() const { return rows_ % kTileSize == 0 && cols_ % kTileSize == 0; }
  /// Tile masks, row-major [tile_rows, tile_cols].
  const TileMask* tiles() const { return tiles_.data(); }
  TileMask* tiles() { return tiles_.data(); }
  /// The mask as kernels see it. Valid while the mask lives and is not assigned to.
  MaskView view() const { return {tiles(), rows_, cols_}; }
  /// The narrowest format that its entries fit: 2:4 both ways, dense or unstructured. Costs a pass over the tiles.
  MaskFormat format() const;
  /// Throws Error outside of the mask.
  TileMask tile(int64_t tile_row, int64_t tile_col) const;
  /// A tile at this place that keeps everything inside the matrix. Throws Error outside of the mask.
  TileMask WholeTile(int64_t tile_row, int64_t tile_col) const;
  /// Drops what a row of tiles keeps beyond the matrix. For passes that write whole tiles. Throws Error outside of the
  /// mask.
  void TrimTileRow(int64_t tile_row);
  /// Throws Error outside of the mask.
  bool Keeps(int64_t row, int64_t col) const;
  int64_t CountKept() const;
  /// The row and column, in tiles, of the first tile that keeps more than two in a row or column. Nothing if the mask
  /// is 2:4 in both directions.
  std::optional<std::pair<int64_t, int64_t>> FirstTileAboveTwoOfFour() const;
  /// As a bool tensor [rows, cols].
  Tensor ToTensor() const;

  bool operator==(const Mask&) const = default;

 private:
  void RequireTile(int64_t tile_row, int64_t tile_col) const;

  int64_t rows_ = 0, cols_ = 0;
  TileArray tiles_;
};

/// The mask of f32 scores [rows, cols], both multiples of 4, by the scores' magnitude. For magnitude pruning the scores
/// are the weight itself. -0 counts as 0. The mask depends on the scores alone. `method` is kExact or kGreedy. Throws
/// Error on other methods and sizes. Throws Error (a runtime failure) that says `name` and the place if a score is NaN
/// or infinite.
Mask FindMask(const Tensor& scores, MaskMethod method, std::string_view name = "weight");

/// A copy of f32 `weight` with zeros where the mask drops.
Tensor ApplyMask(const Tensor& weight, const Mask& mask);
/// Zeroes the elements of f32 `values` that the mask drops. Throws Error on another shape.
void ApplyMaskInPlace(const Mask& mask, Tensor& values);

/// Adds factor * weight to `sum` where the mask drops. Both tensors are f32 and have the mask's shape. Throws Error on
/// others.
void AddDropped(double factor, const Tensor& weight, const Mask& mask, Tensor& sum);

/// The sum of |w| over the kept entries of f32 `weight`, divided by the sum over all; 1 for a weight of zeros.
double RetainedL1(const Tensor& weight, const Mask& mask);

/// Share of entries, in [0, 1], that one mask keeps and the other drops. The masks must have equal shapes. Called the
/// flip rate by Hu et al., "Accelerating Transformer Pre-training with 2:4 Sparsity", 2024.
double FlipRate(const Mask& before, const Mask& after);

}  // namespace twofour::sparse
