#include "twofour/sparse/mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/for_each_tile_row.h"
#include "twofour/sparse/kernels/search/mask_passes.h"
#include "twofour/sparse/kernels/search/mask_search.h"

namespace twofour::sparse {
namespace {

/// Throws Error unless the tensor is f32 and has the mask's shape.
void RequireFits(std::string_view function, std::string_view what, const Tensor& tensor, const Mask& mask) {
  ops::RequireDType(function, what, tensor, DType::kF32);
  if (tensor.shape() != Shape{mask.rows(), mask.cols()}) {
    throw Error(fmt::format("{}: a {} of shape {} and a mask of shape [{}, {}], expected equal shapes", function, what,
                            ToString(tensor.shape()), mask.rows(), mask.cols()));
  }
}

void RequireTiled(const Mask& mask) {
  if (mask.is_tiled()) return;
  throw Error(
      fmt::format("mask: shape [{}, {}], both sizes must be multiples of {}", mask.rows(), mask.cols(), kTileSize));
}

}  // namespace

Mask::Mask(int64_t rows, int64_t cols) : rows_(rows), cols_(cols) {
  if (rows < 0 || cols < 0) {
    throw Error(fmt::format("mask: shape [{}, {}], expected sizes that are not negative", rows, cols));
  }
  NumElements({rows, cols});  // Throws if the number of tiles could overflow.
  tiles_ = TileArray(static_cast<size_t>(tile_rows() * tile_cols()));
}

Mask Mask::FromTensor(const Tensor& kept) {
  if (!kept.defined() || kept.dtype() != DType::kBool || kept.rank() != 2) {
    throw Error(fmt::format("mask: {}, expected a bool tensor [rows, cols]", Describe(kept)));
  }
  Mask mask(kept.dim(0), kept.dim(1));
  const bool* entries = kept.data<bool>();
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    TileMask* const tiles = mask.tiles() + tile_row * mask.tile_cols();
    const int64_t first = tile_row * kTileSize;
    for (int64_t row = first; row < std::min(mask.rows_, first + kTileSize); ++row) {
      const bool* const of_row = entries + row * mask.cols_;
      const int64_t shift = (row - first) * kTileSize;
      int64_t col = 0;
      for (; col + kTileSize <= mask.cols_; col += kTileSize) {
        unsigned bits = 0;
        for (int64_t c = 0; c < kTileSize; ++c) bits |= static_cast<unsigned>(of_row[col + c]) << c;
        tiles[col / kTileSize] = static_cast<TileMask>(tiles[col / kTileSize] | bits << shift);
      }
      for (; col < mask.cols_; ++col) {
        const unsigned bit = static_cast<unsigned>(of_row[col]) << (shift + col % kTileSize);
        tiles[col / kTileSize] = static_cast<TileMask>(tiles[col / kTileSize] | bit);
      }
    }
  });
  return mask;
}

void Mask::RequireTile(int64_t tile_row, int64_t tile_col) const {
  if (tile_row >= 0 && tile_row < tile_rows() && tile_col >= 0 && tile_col < tile_cols()) return;
  throw Error(fmt::format("mask: tile [{}, {}] of [{}, {}] tiles", tile_row, tile_col, tile_rows(), tile_cols()));
}

TileMask Mask::tile(int64_t tile_row, int64_t tile_col) const {
  RequireTile(tile_row, tile_col);
  return tiles()[tile_row * tile_cols() + tile_col];
}

TileMask Mask::WholeTile(int64_t tile_row, int64_t tile_col) const {
  RequireTile(tile_row, tile_col);
  const int64_t rows = std::min<int64_t>(kTileSize, rows_ - tile_row * kTileSize);
  const int64_t cols = std::min<int64_t>(kTileSize, cols_ - tile_col * kTileSize);
  constexpr unsigned kFirstColumn = 0x1111, kWhole = 0xffff;
  const unsigned in_columns = kFirstColumn * ((1u << cols) - 1);
  return static_cast<TileMask>(in_columns & kWhole >> kTileSize * (kTileSize - rows));
}

void Mask::TrimTileRow(int64_t tile_row) {
  if (tile_cols() == 0) return;
  RequireTile(tile_row, 0);
  if (is_tiled()) return;
  TileMask* const row = tiles() + tile_row * tile_cols();
  for (int64_t col = 0; col < tile_cols(); ++col) row[col] = static_cast<TileMask>(row[col] & WholeTile(tile_row, col));
}

bool Mask::Keeps(int64_t row, int64_t col) const {
  if (row < 0 || row >= rows_ || col < 0 || col >= cols_) {
    throw Error(fmt::format("mask: entry [{}, {}] of a mask of shape [{}, {}]", row, col, rows_, cols_));
  }
  return sparse::Keeps(tiles()[row / kTileSize * tile_cols() + col / kTileSize], static_cast<int>(row % kTileSize),
                       static_cast<int>(col % kTileSize));
}

int64_t Mask::CountKept() const { return sparse::CountKept(tiles(), tile_rows() * tile_cols()); }

std::optional<std::pair<int64_t, int64_t>> Mask::FirstTileAboveTwoOfFour() const {
  const int64_t at = FindAboveTwoOfFour(tiles(), tile_rows() * tile_cols());
  if (at >= 0) return std::pair(at / tile_cols(), at % tile_cols());
  return std::nullopt;
}

MaskFormat Mask::format() const {
  if (!FirstTileAboveTwoOfFour()) return MaskFormat::TwoOfFour();
  return CountKept() == rows_ * cols_ ? MaskFormat::Dense() : MaskFormat::Unstructured();
}

Tensor Mask::ToTensor() const {
  Tensor kept = Tensor::Empty({rows_, cols_}, DType::kBool);
  auto* out = reinterpret_cast<uint8_t*>(kept.mutable_data<bool>());  // Bytes of 0 and 1.
  ForEachTileRow(view(), [&](int64_t tile_row) {
    const TileMask* const row = tiles() + tile_row * tile_cols();
    if (is_tiled()) return ExpandTiles(row, cols_, out + tile_row * kTileSize * cols_);
    for (int64_t r = tile_row * kTileSize; r < std::min(rows_, (tile_row + 1) * kTileSize); ++r) {
      for (int64_t c = 0; c < cols_; ++c) out[r * cols_ + c] = view().Keeps(r, c) ? 1 : 0;
    }
  });
  return kept;
}

Mask FindMask(const Tensor& scores, MaskMethod method, std::string_view name) {
  ops::RequireDType("FindMask", name, scores, DType::kF32);
  if (scores.rank() != 2) {
    throw Error(fmt::format("{}: shape {}, a mask needs [rows, cols]", name, ToString(scores.shape())));
  }
  Mask mask(scores.dim(0), scores.dim(1));
  RequireTiled(mask);
  const MaskSearchKernel& kernel = ChooseMaskSearchKernel(method);
  const float* w = scores.data<float>();
  std::atomic<bool> finite = true;
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    const float* rows = w + tile_row * kTileSize * mask.cols();
    if (!kernel.search(rows, mask.cols(), mask.tiles() + tile_row * mask.tile_cols())) finite = false;
  });
  if (!finite) RequireFinite(scores, name);
  return mask;
}

Tensor ApplyMask(const Tensor& weight, const Mask& mask) {
  RequireFits("ApplyMask", "weight", weight, mask);
  Tensor masked = Tensor::Empty(weight.shape());
  ApplyMask(weight.data<float>(), mask.view(), masked.mutable_data<float>());
  return masked;
}

void ApplyMaskInPlace(const Mask& mask, Tensor& values) {
  RequireFits("ApplyMaskInPlace", "values", values, mask);
  float* const data = values.mutable_data<float>();
  ApplyMask(data, mask.view(), data);
}

void AddDropped(double factor, const Tensor& weight, const Mask& mask, Tensor& sum) {
  RequireFits("AddDropped", "weight", weight, mask);
  RequireFits("AddDropped", "sum", sum, mask);
  const float* w = weight.data<float>();
  float* out = sum.mutable_data<float>();
  const auto by = static_cast<float>(factor);
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    const TileRow row(mask.view(), tile_row, w);
    row.Into(out, [&](float* sums) {
      AddDroppedOfTiles(mask.tiles() + tile_row * mask.tile_cols(), row.cols(), by, row.data(), sums);
    });
  });
}

double RetainedL1(const Tensor& weight, const Mask& mask) {
  RequireFits("RetainedL1", "weight", weight, mask);
  const float* w = weight.data<float>();
  std::vector<MagnitudeSums> of_row(static_cast<size_t>(mask.tile_rows()));
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    const TileRow row(mask.view(), tile_row, w);
    of_row[tile_row] = SumMagnitudes(mask.tiles() + tile_row * mask.tile_cols(), row.cols(), row.data());
  });
  MagnitudeSums total;
  for (const MagnitudeSums& sums : of_row) {
    total.kept += sums.kept;
    total.all += sums.all;
  }
  return total.all == 0 ? 1.0 : total.kept / total.all;
}

double FlipRate(const Mask& before, const Mask& after) {
  if (before.rows() != after.rows() || before.cols() != after.cols()) {
    throw Error(fmt::format("FlipRate: masks of shape [{}, {}] and [{}, {}]", before.rows(), before.cols(),
                            after.rows(), after.cols()));
  }
  const int64_t count = before.tile_rows() * before.tile_cols();
  if (count == 0) return 0;
  const int64_t flips = CountDifferences(before.tiles(), after.tiles(), count);
  return static_cast<double>(flips) / static_cast<double>(before.rows() * before.cols());
}

}  // namespace twofour::sparse
