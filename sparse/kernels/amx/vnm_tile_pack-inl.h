// Copies what the blocks of a V:N:M weight keep into tiles of bf16. Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PACK_INL_H_
#define TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PACK_INL_H_

#include <algorithm>
#include <cstdint>
#include <memory>

#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/amx/vnm_tile_weight.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm_columns.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

using namespace twofour::TWOFOUR_BF16;

/// What a row of 4x4 tiles keeps in the columns of four groups, which are the lanes of a vector of floats. Nothing is
/// kept where the weight or the block ends.
class KeptLanes {
 public:
  /// Rows [row, row + 4) of the block `row_block`, groups [group, group + 4).
  KeptLanes(const MaskView& mask, const VnmColumns& columns, int64_t row_block, int64_t row, int64_t group) {
    if (row >= std::min((row_block + 1) * columns.v(), mask.rows)) return;
    const TileMask* const tile_row = mask.tiles + row / kTileSize * mask.tile_cols();
    const int64_t groups = std::min<int64_t>(columns.groups() - group, kLanes / VnmPattern::kColumns);
    for (int64_t g = 0; g < groups; ++g) {
      const VnmColumns::Four& four = columns.at(row_block, group + g);
      std::copy_n(four, VnmPattern::kColumns, columns_ + g * VnmPattern::kColumns);
      const uint32_t tile = GatherTile(tile_row, four);
      for (int r = 0; r < kTileSize; ++r) bits_[r] |= (tile >> (r * kTileSize) & 15U) << (g * kTileSize);
    }
  }

  /// Row r of the four, and 0 where nothing is kept. `weight` is the first of the four rows, whose elements are `ld`
  /// apart. What is not kept is not read.
  HWY_INLINE Floats Load(const float* weight, int64_t ld, int r) const {
    return GatherFloats(weight + r * ld, columns_, bits_[r]);
  }

 private:
  alignas(64) int32_t columns_[kLanes] = {};
  uint32_t bits_[kTileSize] = {};
};

/// Tiles [row_tiles][depth_tiles] of rows of W and the columns that they keep.
inline void PackForward(const float* weight, const MaskView& mask, const VnmColumns& columns,
                        const VnmTileWeight::Part& part, BFloat16* tiles) {
  for (int64_t tile = 0; tile < part.row_tiles * part.depth_tiles; ++tile, tiles += VnmTileWeight::kElements) {
    const int64_t top = part.row_block * columns.v() + tile / part.depth_tiles * VnmTileWeight::kRows;
    const int64_t group = part.group + tile % part.depth_tiles * VnmTileWeight::kGroups;
    for (int64_t i = 0; i < VnmTileWeight::kRows; i += kTileSize) {
      const int64_t row = top + i;
      const KeptLanes low(mask, columns, part.row_block, row, group);
      const KeptLanes high(mask, columns, part.row_block, row, group + VnmTileWeight::kGroups / 2);
      const float* const from = weight + row * mask.cols;
      for (int r = 0; r < kTileSize; ++r) {
        StorePairs(RoundToBf16(low.Load(from, mask.cols, r), high.Load(from, mask.cols, r)),
                   tiles + (i + r) * VnmTileWeight::kDepth);
      }
    }
  }
}

/// The same of W transposed: tiles of the columns that a block keeps and its rows.
inline void PackInputGrad(const float* weight, const MaskView& mask, const VnmColumns& columns,
                          const VnmTileWeight::Part& part, BFloat16* tiles) {
  for (int64_t tile = 0; tile < part.row_tiles * part.depth_tiles; ++tile, tiles += VnmTileWeight::kElements) {
    const int64_t group = part.group + tile / part.depth_tiles * (VnmTileWeight::kGroups / 2);
    const int64_t top = part.row_block * columns.v() + tile % part.depth_tiles * VnmTileWeight::kDepth;
    Pairs rows[kLanes];  // Two rows of W each.
    for (int i = 0; i < kLanes; i += 2) {
      const int64_t row = top + 2 * i;
      const KeptLanes kept(mask, columns, part.row_block, row, group);
      const float* const from = weight + row * mask.cols;
      for (int r = 0; r < kTileSize; r += 2) {
        rows[i + r / 2] = PairHalves(RoundToBf16(kept.Load(from, mask.cols, r), kept.Load(from, mask.cols, r + 1)));
      }
    }
    TransposePairs(rows);
    for (int i = 0; i < kLanes; ++i) StorePairs(rows[i], tiles + i * VnmTileWeight::kDepth);
  }
}

inline std::unique_ptr<PackedWeight> PackTiles(const float* weight, const MaskView& mask, Direction direction,
                                               Isa isa) {
  auto packed = std::make_unique<VnmTileWeight>(mask, direction, isa);
  VnmTileWeight& w = *packed;
  const VnmColumns& columns = w.columns();
  const bool forward = direction == Direction::kForward;
  // In either direction the work is cut by blocks of W, so that rows of the mask and the weight are read in one go.
  const int64_t grain = 1 + (int64_t{1} << 16) / (columns.v() * mask.cols + 1);
  ParallelFor(columns.row_blocks(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      if (forward) {
        for (int64_t slice = 0; slice < w.slices(); ++slice) {
          const VnmTileWeight::Part part = w.ForwardPart(slice, block);
          PackForward(weight, mask, columns, part, w.tiles(part));
        }
      } else {
        for (int64_t groups = 0; groups < w.group_ranges(); ++groups) {
          const VnmTileWeight::Part part = w.InputGradPart(block / w.count(0), groups, block % w.count(0));
          PackInputGrad(weight, mask, columns, part, w.tiles(part));
        }
      }
    }
  });
  return packed;
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PACK_INL_H_
