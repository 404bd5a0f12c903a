#include "twofour/sparse/kernels/amx/vnm_tile_weight.h"

namespace twofour::sparse {
namespace {

VnmPattern PatternOf(const MaskView& mask) {
  return mask.vnm.v > 0 ? mask.vnm : VnmPattern{.v = 64, .m = VnmPattern::kColumns};
}

}  // namespace

VnmTileWeight::VnmTileWeight(const MaskView& mask, Direction direction, Isa isa)
    : PackedWeight(kLayout, isa),
      w_rows_(mask.rows),
      w_cols_(mask.cols),
      direction_(direction),
      columns_(VnmColumns::Of(mask, PatternOf(mask))),
      slice_(direction == Direction::kForward
                 ? kSliceTiles * kGroups
                 : std::max<int64_t>(kSliceTiles / std::max<int64_t>(block_tiles(), 1), 1)),
      offsets_(OffsetCount()),
      tiles_(TileCount() * kElements) {
  if (direction == Direction::kForward) SetOffsets();
}

int64_t VnmTileWeight::TileCount() const {
  if (direction_ == Direction::kForward) {
    return columns_.row_blocks() * padded_rows() / kRows * CeilDiv(columns_.groups(), kGroups);
  }
  return columns_.row_blocks() * group_ranges() * 2 * block_tiles();
}

int64_t VnmTileWeight::OffsetCount() const {
  if (direction_ != Direction::kForward) return 0;
  return columns_.row_blocks() * RoundUp(columns_.groups(), kGroups) * VnmPattern::kColumns;
}

void VnmTileWeight::SetOffsets() {
  uint32_t* next = offsets_.data();  // They are in the order of the parts.
  for (int64_t slice = 0; slice < slices(); ++slice) {
    const int64_t end = first(slice) + count(slice), begin_col = slice * slice_cols();
    for (int64_t block = 0; block < columns_.row_blocks(); ++block) {
      for (int64_t group = first(slice); group < first(slice) + RoundUp(count(slice), kGroups); ++group) {
        for (int i = 0; i < VnmPattern::kColumns; ++i) {
          const int32_t col = group < end ? columns_.at(block, group)[i] : VnmColumns::kNone;
          *next++ = static_cast<uint32_t>((col == VnmColumns::kNone ? slice_cols() : col - begin_col) * kBatch);
        }
      }
    }
  }
}

VnmTileWeight::Part VnmTileWeight::ForwardPart(int64_t slice, int64_t row_block) const {
  const int64_t row_tiles = padded_rows() / kRows, depth_tiles = CeilDiv(count(slice), kGroups);
  return {.row_block = row_block,
          .group = first(slice),
          .row_tiles = row_tiles,
          .depth_tiles = depth_tiles,
          .offset = (slice * kSliceTiles * columns_.row_blocks() + row_block * depth_tiles) * row_tiles};
}

VnmTileWeight::Part VnmTileWeight::InputGradPart(int64_t slice, int64_t groups, int64_t i) const {
  const int64_t tiles = 2 * block_tiles();
  return {.row_block = first(slice) + i,
          .group = groups * kGroups,
          .row_tiles = 2,
          .depth_tiles = block_tiles(),
          .offset = (first(slice) * group_ranges() + groups * count(slice) + i) * tiles};
}

}  // namespace twofour::sparse
