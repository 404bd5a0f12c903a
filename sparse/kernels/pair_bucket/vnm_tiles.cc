#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"

#include <algorithm>

#include "twofour/core/ceil_div.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_pack.h"

namespace twofour::sparse {
namespace {

int64_t ColsOf(const MaskView& mask, Direction direction) {
  return direction == Direction::kForward ? mask.cols : mask.rows;
}

/// To be counted.
TileRange OneTile(const TileMask& tile) {
  return {.masks = &tile, .mask_stride = 1, .weight = nullptr, .ld = 0, .weight_stride = 0, .count = 1};
}

/// Strips of one block: those of all rows, or those of all blocks of the weight that lie in it.
int64_t StripsOf(const MaskView& mask, Direction direction, int64_t block_cols) {
  if (direction == Direction::kForward) return CeilDiv(mask.rows, int64_t{kTileSize});
  return std::max<int64_t>(block_cols / TilePattern(mask).v, 1) * CeilDiv(mask.cols, int64_t{TilePattern(mask).m});
}

}  // namespace

int64_t VnmTiles::BlockCols(const MaskView& mask, Direction direction, int64_t most) {
  if (direction == Direction::kForward) return most / TilePattern(mask).m * TilePattern(mask).m;
  const int64_t v = TilePattern(mask).v;
  if (v <= most) return most / v * v;
  int64_t part = most / kTileSize * kTileSize;
  while (v % part != 0) part -= kTileSize;
  return part;
}

VnmTiles::VnmTiles(const float* weight, const MaskView& mask, Direction direction, int64_t block_cols,
                   int64_t column_bytes)
    : StepSource(CeilDiv(ColsOf(mask, direction), block_cols), StripsOf(mask, direction, block_cols), block_cols),
      weight_(weight),
      mask_(mask),
      pattern_(TilePattern(mask)),
      direction_(direction),
      block_cols_(block_cols),
      column_bytes_(column_bytes),
      columns_(VnmColumns::Of(mask, pattern_)),
      plan_(PackPlan::For(direction == Direction::kInputGrad, 1)) {
  const int64_t groups = columns_.groups(), tile_rows = CeilDiv(mask.rows, int64_t{kTileSize});
  tiles_ = std::make_unique_for_overwrite<TileMask[]>(static_cast<size_t>(tile_rows * groups));
  ForEach([&](int64_t i) {
    StepCounts counts = 0;
    const Range range = RangeOf(i);
    for (int64_t tile_row = range.tile_row; tile_row < range.tile_row + range.tile_rows; ++tile_row) {
      for (int64_t group = range.group; group < range.group + range.groups; ++group) {
        TileMask& tile = tiles_[static_cast<size_t>(tile_row * groups + group)];
        tile = GatherTile(mask_.tiles + tile_row * mask_.tile_cols(), columns_.at(range.row_block, group));
        const TileRecipe* const recipe = plan_.Find(tile);
        counts += recipe != nullptr ? recipe->counts : plan_.Count(OneTile(tile));
      }
    }
    counts_[static_cast<size_t>(i)] = counts;
  });
}

VnmTiles::Range VnmTiles::RangeOf(int64_t i) const {
  const int64_t block = i / strips_, strip = i % strips_, v = pattern_.v;
  if (direction_ == Direction::kForward) {
    const int64_t per_block = block_cols_ / pattern_.m, first = block * per_block;
    return {strip * kTileSize / v, strip, 1, first, std::min(per_block, columns_.groups() - first)};
  }
  const int64_t top = std::max(block * block_cols_, (block * block_cols_ / v + strip / columns_.groups()) * v);
  const int64_t bottom = std::min({(top / v + 1) * v, (block + 1) * block_cols_, mask_.rows});
  return {top / v, top / kTileSize, std::max<int64_t>(CeilDiv(bottom - top, int64_t{kTileSize}), 0),
          strip % columns_.groups(), 1};
}

void VnmTiles::Write(int64_t i, StepCounts spread, Isa isa, const PairBucketSteps& steps) const {
  const Range range = RangeOf(i);
  const bool forward = direction_ == Direction::kForward;
  const int64_t block_begin = i / strips_ * block_cols_, row = range.tile_row * kTileSize;
  if (range.tile_rows * range.groups == 0) return;
  const VnmTileRange tiles{.forward = forward,
                           .tiles = &tiles_[static_cast<size_t>(range.tile_row * columns_.groups() + range.group)],
                           .tile_stride = forward ? 1 : columns_.groups(),
                           .count = range.tile_rows * range.groups,
                           .columns = &columns_.at(range.row_block, range.group),
                           .weight = weight_ + row * mask_.cols,
                           .ld = mask_.cols,
                           .group = range.group,
                           .m = pattern_.m,
                           .block_begin = block_begin,
                           .row = row - block_begin,
                           .column_bytes = column_bytes_};
  VnmStepWriterFor(isa)(plan_, tiles, spread, steps);
}

}  // namespace twofour::sparse
