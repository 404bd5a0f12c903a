// Copies what the blocks of a V:N:M weight keep into tiles of bf16. Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PACK_INL_H_
#define TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PACK_INL_H_

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/amx/vnm_tile_weight.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm_columns.h"
#include "twofour/sparse/vnm_pattern.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

using namespace twofour::TWOFOUR_BF16;

/// The columns that a block keeps in four groups, as the lanes of a vector.
class FourGroups {
 public:
  /// Groups from `group` on. Lanes of groups that the weight lacks keep nothing.
  FourGroups(const VnmColumns& columns, int64_t row_block, int64_t group, int64_t cols)
      : groups_(std::clamp<int64_t>(columns.groups() - group, 0, kLanes / VnmPattern::kColumns)),
        begin_(group * columns.m()),
        width_(std::min(groups_ * columns.m(), cols - begin_)),
        ahead_(VnmTileWeight::kGroups * columns.m()) {
    alignas(64) int32_t places[kLanes] = {};
    for (int64_t g = 0; g < groups_; ++g) {
      const VnmColumns::Four& four = columns.at(row_block, group + g);
      std::copy_n(four, VnmPattern::kColumns, four_[g]);
      for (int64_t i = 0; i < VnmPattern::kColumns && four[i] != VnmColumns::kNone; ++i) {
        const int64_t lane = g * VnmPattern::kColumns + i, place = four[i] - begin_;
        places[lane] = static_cast<int32_t>(place);
        lanes_[place / kLanes] |= 1U << lane;
      }
    }
    places_ = LoadPairs(places);
  }

  /// A bit for each lane that is kept, for each row of a row of 4x4 tiles.
  HWY_INLINE void SetBits(const TileMask* tile_row, uint32_t (&bits)[kTileSize]) const {
    std::fill_n(bits, kTileSize, 0U);
    for (int64_t g = 0; g < groups_; ++g) {
      const uint32_t tile = GatherTile(tile_row, four_[g]);
      for (int r = 0; r < kTileSize; ++r) bits[r] |= (tile >> (r * kTileSize) & 15U) << (g * kTileSize);
    }
  }

  /// Of a row of the weight, the lanes that have a bit. The others are 0.
  HWY_INLINE Floats Load(const float* row, uint32_t bits) const {
    Floats kept = ZeroFloats();
    for (int64_t at = 0, i = 0; at < width_; at += kLanes, ++i) {
      const float* const from = row + begin_ + at;
      const int count = static_cast<int>(std::min<int64_t>(kLanes, width_ - at));
      hwy::Prefetch(from + ahead_);
      kept = PickFloats(kept, bits & lanes_[i], places_, LoadFirstFloats(from, count));
    }
    return kept;
  }

 private:
  static constexpr int64_t kMostVectors = kLanes / VnmPattern::kColumns * kMostVnmColumns / kLanes;

  int64_t groups_;
  int64_t begin_, width_;  // The columns of the weight that the groups cover.
  int64_t ahead_;          // From there to where the same row is needed next.
  VnmColumns::Four four_[kLanes / VnmPattern::kColumns];
  Pairs places_;                       // Of each lane, within these.
  uint32_t lanes_[kMostVectors] = {};  // The lanes that each vector of a row has.
};

/// Tiles [row_tiles][depth_tiles] of rows of W and the columns that they keep.
inline void PackForward(const float* weight, const MaskView& mask, const VnmColumns& columns,
                        const VnmTileWeight::Part& part, BFloat16* tiles) {
  const int64_t bottom = std::min((part.row_block + 1) * columns.v(), mask.rows);
  for (int64_t tile = 0; tile < part.row_tiles * part.depth_tiles; ++tile, tiles += VnmTileWeight::kElements) {
    const int64_t top = part.row_block * columns.v() + tile / part.depth_tiles * VnmTileWeight::kRows;
    const int64_t group = part.group + tile % part.depth_tiles * VnmTileWeight::kGroups;
    const FourGroups low(columns, part.row_block, group, mask.cols);
    const FourGroups high(columns, part.row_block, group + VnmTileWeight::kGroups / 2, mask.cols);
    const int64_t rows = std::clamp<int64_t>(bottom - top, 0, VnmTileWeight::kRows);
    for (int64_t i = 0; i < rows; i += kTileSize) {
      const TileMask* const tile_row = mask.tiles + (top + i) / kTileSize * mask.tile_cols();
      uint32_t low_bits[kTileSize], high_bits[kTileSize];
      low.SetBits(tile_row, low_bits);
      high.SetBits(tile_row, high_bits);
      for (int r = 0; r < kTileSize; ++r) {
        const float* const row = weight + (top + i + r) * mask.cols;
        StorePairs(RoundToBf16(low.Load(row, low_bits[r]), high.Load(row, high_bits[r])),
                   tiles + (i + r) * VnmTileWeight::kDepth);
      }
    }
    std::fill(tiles + rows * VnmTileWeight::kDepth, tiles + VnmTileWeight::kElements, BFloat16::FromBits(0));
  }
}

/// The same of W transposed: tiles of the columns that a block keeps and its rows.
inline void PackInputGrad(const float* weight, const MaskView& mask, const VnmColumns& columns,
                          const VnmTileWeight::Part& part, BFloat16* tiles) {
  const int64_t bottom = std::min((part.row_block + 1) * columns.v(), mask.rows);
  for (int64_t tile = 0; tile < part.row_tiles * part.depth_tiles; ++tile, tiles += VnmTileWeight::kElements) {
    const int64_t group = part.group + tile / part.depth_tiles * (VnmTileWeight::kGroups / 2);
    const int64_t top = part.row_block * columns.v() + tile % part.depth_tiles * VnmTileWeight::kDepth;
    const FourGroups kept(columns, part.row_block, group, mask.cols);
    Pairs rows[kLanes];  // Two rows of W each.
    for (int i = 0; i < kLanes; i += 2) {
      if (top + 2 * i >= bottom) {
        rows[i] = rows[i + 1] = SetPairs(0);
        continue;
      }
      uint32_t bits[kTileSize];
      kept.SetBits(mask.tiles + (top + 2 * i) / kTileSize * mask.tile_cols(), bits);
      const float* const row = weight + (top + 2 * i) * mask.cols;
      for (int r = 0; r < kTileSize; r += 2) {
        const Floats first = kept.Load(row + r * mask.cols, bits[r]);
        rows[i + r / 2] = PairHalves(RoundToBf16(first, kept.Load(row + (r + 1) * mask.cols, bits[r + 1])));
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
