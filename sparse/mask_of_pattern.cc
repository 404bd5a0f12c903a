#include "twofour/sparse/mask_of_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/best_tile_mask.h"
#include "twofour/sparse/mask_of_format.h"
#include "twofour/sparse/mask_of_tiles.h"

namespace twofour::sparse {
namespace {

using Kind = MaskFormat::Kind;

/// A copy with zeros behind its rows and columns, or the scores themselves if these sizes divide already.
Tensor PaddedTo(const Tensor& scores, int64_t rows_of, int64_t cols_of) {
  const int64_t rows = scores.dim(0), cols = scores.dim(1);
  const int64_t padded_rows = RoundUp(rows, rows_of), padded_cols = RoundUp(cols, cols_of);
  if (padded_rows == rows && padded_cols == cols) return scores;
  Tensor padded = Tensor::Zeros({padded_rows, padded_cols});
  for (int64_t row = 0; row < rows; ++row) {
    std::copy_n(scores.data<float>() + row * cols, cols, padded.mutable_data<float>() + row * padded_cols);
  }
  return padded;
}

/// The upper left part of a mask.
Mask Cropped(const Mask& mask, int64_t rows, int64_t cols) {
  if (mask.rows() == rows && mask.cols() == cols) return mask;
  Mask cropped(rows, cols);
  for (int64_t row = 0; row < cropped.tile_rows(); ++row) {
    std::copy_n(mask.tiles() + row * mask.tile_cols(), cropped.tile_cols(),
                cropped.tiles() + row * cropped.tile_cols());
    cropped.TrimTileRow(row);
  }
  return cropped;
}

Mask FindTransposable(const Tensor& scores, int n, std::string_view name) {
  if (n == 2) return FindMaskOf(scores, MaskFormat::TwoOfFour(), name);
  return MaskOfTiles(scores, name, [n](int64_t /*number*/, const TileMagnitudes& elements) {
    TileMagnitudes magnitudes;
    std::ranges::transform(elements, magnitudes.begin(), [](float value) { return std::abs(value); });
    return BestTileMask(n, magnitudes);
  });
}

}  // namespace

Mask FindMaskOf(const Tensor& scores, const PruningPattern& pattern, std::string_view name, VnmColumnChoice columns) {
  Checked(pattern, "");
  ops::RequireDType("FindMaskOf", name, scores, DType::kF32);
  if (scores.rank() != 2) {
    throw Error(fmt::format("{}: shape {}, a mask needs [rows, cols]", name, ToString(scores.shape())));
  }
  const MaskFormat& format = pattern.format;
  switch (format.kind) {
    case Kind::kUnstructured:
      if (pattern.scope == PruningScope::kRow) return FindRowBudgetMask(scores, pattern.sparsity, name);
      return FindBudgetMask(scores, {}, pattern.sparsity, name);
    case Kind::kBlocks:
      return FindBudgetMask(scores, {format.block_rows, format.block_cols}, pattern.sparsity, name);
    case Kind::kTransposable: {
      const Tensor padded = PaddedTo(scores, kTileSize, kTileSize);
      return Cropped(FindTransposable(padded, format.n, name), scores.dim(0), scores.dim(1));
    }
    case Kind::kRows:
      return Cropped(FindMaskOf(PaddedTo(scores, 1, format.m), format, name), scores.dim(0), scores.dim(1));
    case Kind::kVnm:
    case Kind::kVnmRows:
    case Kind::kDense:
      break;
  }
  return FindMaskOf(scores, format, name, columns);
}

std::vector<Mask> FindMasksOf(std::span<const NamedScores> matrices, const PruningPattern& pattern,
                              VnmColumnChoice columns) {
  Checked(pattern, "");
  const MaskFormat& format = pattern.format;
  if (pattern.scope == PruningScope::kModel) {
    const bool blocks = format.kind == Kind::kBlocks;
    return FindBudgetMasks(matrices, blocks ? BlockSize{format.block_rows, format.block_cols} : BlockSize{},
                           pattern.sparsity);
  }
  std::vector<Mask> masks;
  for (const NamedScores& matrix : matrices) masks.push_back(FindMaskOf(matrix.scores, pattern, matrix.name, columns));
  return masks;
}

}  // namespace twofour::sparse
