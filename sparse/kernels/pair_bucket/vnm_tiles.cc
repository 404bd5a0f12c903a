#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"

#include <algorithm>
#include <vector>

#include "twofour/core/ceil_div.h"

namespace twofour::sparse {
namespace {

int64_t ColsOf(const MaskView& mask, Direction direction) {
  return direction == Direction::kForward ? mask.cols : mask.rows;
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
  ForEach([&](int64_t i) {
    StepCounts counts = 0;
    ForEachTile(RangeOf(i), [&](TileMask tile, int64_t, const VnmColumns::Four&) {
      counts +=
          plan_.Count({.masks = &tile, .mask_stride = 1, .weight = nullptr, .ld = 0, .weight_stride = 0, .count = 1});
    });
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

template <typename Visit>
void VnmTiles::ForEachTile(const Range& range, const Visit& visit) const {
  for (int64_t tile_row = range.tile_row; tile_row < range.tile_row + range.tile_rows; ++tile_row) {
    for (int64_t group = range.group; group < range.group + range.groups; ++group) {
      const VnmColumns::Four& four = columns_.at(range.row_block, group);
      visit(GatherTile(mask_.tiles + tile_row * mask_.tile_cols(), four), tile_row, four);
    }
  }
}

void VnmTiles::Write(int64_t i, StepCounts spread, Isa isa, const PairBucketSteps& steps) const {
  const Range range = RangeOf(i);
  const bool forward = direction_ == Direction::kForward;
  // The tiles of the range side by side, as the writers take them, and where their columns are in a panel.
  const int64_t count = range.tiles(), width = kTileSize * count;
  std::vector<TileMask> tiles;
  std::vector<float> weights(static_cast<size_t>(kTileSize * width));
  std::vector<uint16_t> offsets(static_cast<size_t>(width));
  ForEachTile(range, [&](TileMask tile, int64_t tile_row, const VnmColumns::Four& four) {
    const auto number = static_cast<int64_t>(tiles.size());
    tiles.push_back(tile);
    for (int64_t k = 0; k < kTileSize; ++k) {
      const int64_t row = tile_row * kTileSize + k, col = forward ? four[k] : row;
      const int64_t in_block = std::max<int64_t>(col, 0) % block_cols_;
      offsets[static_cast<size_t>(number * kTileSize + k)] = static_cast<uint16_t>(in_block * column_bytes_);
      if (row >= mask_.rows) continue;
      for (int64_t j = 0; j < kTileSize; ++j) {
        if (four[j] == VnmColumns::kNone) continue;
        weights[static_cast<size_t>(k * width + number * kTileSize + j)] = weight_[row * mask_.cols + four[j]];
      }
    }
  });
  const TileRange side_by_side{.masks = tiles.data(),
                               .mask_stride = 1,
                               .weight = weights.data(),
                               .ld = width,
                               .weight_stride = kTileSize,
                               .count = count};
  StepWriterFor(isa)(plan_, side_by_side, spread, steps);
  const StepCounts counts = counts_[static_cast<size_t>(i)], first = FirstSteps(spread);
  for (int pairing = 0; pairing < kPairings; ++pairing) {
    uint16_t(*const begin)[2] = steps.offsets + CountOf(first, pairing);
    for (uint16_t step = 0; step < CountOf(counts, pairing); ++step) {
      for (uint16_t& offset : begin[step]) offset = offsets[offset];
    }
  }
}

}  // namespace twofour::sparse
