// How SIMD searches of tile masks read a row of tiles: each lane is another tile, and there is a vector for each of the
// sixteen entries. Compiled once for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_SEARCH_TILE_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_SEARCH_TILE_VECTORS_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_SEARCH_TILE_VECTORS_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_SEARCH_TILE_VECTORS_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "twofour/sparse/tile_mask.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Ints = hn::RebindToSigned<Floats>;
using FloatVector = hn::Vec<Floats>;
using IntVector = hn::Vec<Ints>;

inline constexpr int64_t kTilesPerVector = hn::MaxLanes(Floats());
inline constexpr int64_t kColsPerVector = kTileSize * kTilesPerVector;
inline constexpr int64_t kTilesPerBlock = 4;  // A block is 128 bits. Cheap shuffles move lanes within a block only.
inline constexpr int64_t kBlocks = kTilesPerVector / kTilesPerBlock;

/// One row of kTilesPerVector tiles. Either as it lies in memory, as four consecutive vectors. Or by column: vector c
/// holds entry c of each tile, and the tiles are not in order (see StoreTiles).
struct TileRow {
  // Needed because NEON's vectors have a constructor, and GCC would compile an implicit constructor for the baseline.
  HWY_INLINE TileRow() {}
  FloatVector vector[kTileSize];
};

/// Loads |w|, in the order of memory.
HWY_INLINE TileRow LoadMagnitudes(const float* weight) {
  const Floats floats;
  TileRow row;
  for (int64_t i = 0; i < kTileSize; ++i) row.vector[i] = hn::Abs(hn::LoadU(floats, weight + i * kTilesPerVector));
  return row;
}

/// Turns a row in the order of memory into one by column.
HWY_INLINE TileRow ByColumn(const TileRow& row) {
  // A 4x4 transpose within each block. Block b of vector j is tile j * kBlocks + b, and ends up in lane 4 * b + j.
  const Floats floats;
  const hn::Repartition<double, Floats> doubles;
  const auto ab01 = hn::BitCast(doubles, hn::InterleaveLower(floats, row.vector[0], row.vector[1]));
  const auto ab23 = hn::BitCast(doubles, hn::InterleaveUpper(floats, row.vector[0], row.vector[1]));
  const auto cd01 = hn::BitCast(doubles, hn::InterleaveLower(floats, row.vector[2], row.vector[3]));
  const auto cd23 = hn::BitCast(doubles, hn::InterleaveUpper(floats, row.vector[2], row.vector[3]));
  TileRow columns;
  columns.vector[0] = hn::BitCast(floats, hn::InterleaveLower(doubles, ab01, cd01));
  columns.vector[1] = hn::BitCast(floats, hn::InterleaveUpper(doubles, ab01, cd01));
  columns.vector[2] = hn::BitCast(floats, hn::InterleaveLower(doubles, ab23, cd23));
  columns.vector[3] = hn::BitCast(floats, hn::InterleaveUpper(doubles, ab23, cd23));
  return columns;
}

/// The lane into which ByColumn puts each tile.
struct LaneOfTile {
  alignas(64) int32_t lane[kTilesPerVector];
};
constexpr LaneOfTile LanesOfTiles() {
  LaneOfTile of_tile = {};
  for (int64_t tile = 0; tile < kTilesPerVector; ++tile) {
    of_tile.lane[tile] = static_cast<int32_t>(kTilesPerBlock * (tile % kBlocks) + tile / kBlocks);
  }
  return of_tile;
}

/// Writes kTilesPerVector masks in the order of tiles. They are given in the order that ByColumn makes.
HWY_INLINE void StoreTiles(IntVector masks, TileMask* tiles) {
  const Ints ints;
  if (kBlocks > 1) {
    static constexpr LaneOfTile kOfTile = LanesOfTiles();
    masks = hn::TableLookupLanes(masks, hn::SetTableIndices(ints, kOfTile.lane));
  }
  const hn::Rebind<TileMask, Ints> words;
  hn::StoreU(hn::DemoteTo(words, masks), words, tiles);
}

/// Prefetches kTilesPerVector tiles. A processor by itself only foresees that a row goes on, and not that the next rows
/// are needed as well. To prefetch beyond the end of the weight does no harm.
HWY_INLINE void FetchTiles(const float* weight, int64_t stride) {
  constexpr int64_t kLine = 64 / sizeof(float);
  for (int row = 0; row < kTileSize; ++row) {
    for (int64_t col = 0; col < kColsPerVector; col += kLine) hwy::Prefetch(weight + row * stride + col);
  }
}

/// Calls search(weight, cols, tiles) -> bool for kTilesPerVector tiles at a time, until a row of tiles is done. The
/// last call may take some tiles again, which gives the same masks. Nothing beyond the row is read or written. Returns
/// whether all calls returned true.
template <typename Search>
HWY_INLINE bool ForEachVectorOfTiles(const float* weight, int64_t cols, TileMask* tiles, Search search) {
  float padded_weight[kTileSize * kColsPerVector];
  TileMask padded_tiles[kTilesPerVector];
  const bool is_short = cols < kColsPerVector;
  if (is_short) {
    std::fill_n(padded_weight, kTileSize * kColsPerVector, 0.0f);
    for (int row = 0; row < kTileSize; ++row) {
      std::copy_n(weight + row * cols, cols, padded_weight + row * kColsPerVector);
    }
  }
  const float* const from = is_short ? padded_weight : weight;
  TileMask* const to = is_short ? padded_tiles : tiles;
  const int64_t end = is_short ? kColsPerVector : cols;
  bool all = true;
  for (int64_t col = 0; col < end; col += kColsPerVector) {
    const int64_t at = std::min(col, end - kColsPerVector);
    FetchTiles(from + kTileSize * end + at, end);
    all &= search(from + at, end, to + at / kTileSize);
  }
  if (is_short) std::copy_n(padded_tiles, cols / kTileSize, tiles);
  return all;
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_SEARCH_TILE_VECTORS_INL_H_
