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

/// Which entries of a [rows, cols] matrix of any size are kept, as a mask for each of its 4x4 tiles. Where a size is no
/// multiple of 4, the last tiles reach beyond the matrix, and keep nothing there. Where no tile keeps more than two in
/// a row or column, the matrix is 2:4 and so is its transpose: what the sparse kernels multiply with.
class Mask {
 public:
  Mask() = default;
  /// Keeps nothing. Throws Error on a negative size.
  Mask(int64_t rows, int64_t cols);
  /// From a bool tensor [rows, cols]. Throws Error on any other.
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
  /// What kernels see of it, as long as the mask lives and stays.
  MaskView view() const { return {tiles(), rows_, cols_}; }
  /// The narrowest format that its entries show: dense, 2:4 both ways or unstructured. A pass over the tiles.
  MaskFormat format() const;
  /// Throws Error outside of the mask.
  TileMask tile(int64_t tile_row, int64_t tile_col) const;
  /// The tile that keeps all of the matrix that it covers.
  TileMask WholeTile(int64_t tile_row, int64_t tile_col) const;
  /// Drops what the tiles of a row keep beyond the matrix, for passes that write whole tiles.
  void TrimTileRow(int64_t tile_row);
  /// Throws Error outside of the mask.
  bool Keeps(int64_t row, int64_t col) const;
  int64_t CountKept() const;
  /// The row and column, in tiles, of the first tile that keeps more than two in a row or column; none: the mask is
  /// 2:4 in both directions.
  std::optional<std::pair<int64_t, int64_t>> FirstTileAboveTwoOfFour() const;
  /// As a bool tensor [rows, cols].
  Tensor ToTensor() const;

  bool operator==(const Mask&) const = default;

 private:
  int64_t rows_ = 0, cols_ = 0;
  TileArray tiles_;
};

/// The mask of f32 scores [rows, cols], both multiples of 4, by magnitude: for magnitude pruning the weight itself. -0
/// counts as 0; the mask depends on the scores alone. `method` is kExact or kGreedy. Throws Error on other methods and
/// sizes, and (a runtime failure) one that says `name` and where when a score is NaN or infinite.
Mask FindMask(const Tensor& scores, MaskMethod method, std::string_view name = "weight");

/// A copy of f32 `weight` with zeros where the mask does not keep.
Tensor ApplyMask(const Tensor& weight, const Mask& mask);
/// Zeroes what the mask does not keep of f32 `values`. Throws Error on another shape.
void ApplyMaskInPlace(const Mask& mask, Tensor& values);

/// Adds factor * weight to `sum` where the mask drops. f32 of the mask's shape both. Throws Error on others.
void AddDropped(double factor, const Tensor& weight, const Mask& mask, Tensor& sum);

/// Sum of |w| over the kept entries by the sum over all; 1 for a weight of zeros. f32.
double RetainedL1(const Tensor& weight, const Mask& mask);

/// Share of entries that one mask keeps and the other does not, in [0, 1]. Equal shapes. Hu et al., "Accelerating
/// Transformer Pre-training with 2:4 Sparsity", 2024, call it the flip rate.
double FlipRate(const Mask& before, const Mask& after);

}  // namespace twofour::sparse
