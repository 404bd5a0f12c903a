// How SIMD searches of tile masks read a row of tiles: lane by lane another tile, and a vector for each of its sixteen
// entries. Compiled once for each instruction set: to be included after hwy/foreach_target.h, without #pragma once.
#if defined(TWOFOUR_SPARSE_KERNELS_TILE_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_TILE_VECTORS_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_TILE_VECTORS_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_TILE_VECTORS_INL_H_
#endif

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
inline constexpr int64_t kTilesPerBlock = 4;  // A block: 128 bits, which cheap shuffles do not leave.
inline constexpr int64_t kBlocks = kTilesPerVector / kTilesPerBlock;

/// |w| of entry [row][col] of kTilesPerVector tiles. Tiles are not in order: see StoreTiles.
struct TileVectors {
  // NEON's vectors have a constructor, and GCC compiles constructors that it writes itself for the baseline.
  HWY_INLINE TileVectors() {}
  FloatVector entry[kTileSize][kTileSize];
};

/// From four rows, `cols` apart, of kColsPerVector floats.
HWY_INLINE TileVectors LoadTiles(const float* weight, int64_t cols) {
  const Floats floats;
  const hn::Repartition<double, Floats> doubles;
  TileVectors tiles;
  for (int row = 0; row < kTileSize; ++row) {
    // A 4x4 transpose within each block: block b of the j-th vector is tile j * kBlocks + b, and ends up in lane
    // 4 * b + j.
    const float* from = weight + row * cols;
    const auto a = hn::Abs(hn::LoadU(floats, from)), b = hn::Abs(hn::LoadU(floats, from + kTilesPerVector));
    const auto c = hn::Abs(hn::LoadU(floats, from + 2 * kTilesPerVector));
    const auto d = hn::Abs(hn::LoadU(floats, from + 3 * kTilesPerVector));
    const auto ab01 = hn::BitCast(doubles, hn::InterleaveLower(floats, a, b));
    const auto ab23 = hn::BitCast(doubles, hn::InterleaveUpper(floats, a, b));
    const auto cd01 = hn::BitCast(doubles, hn::InterleaveLower(floats, c, d));
    const auto cd23 = hn::BitCast(doubles, hn::InterleaveUpper(floats, c, d));
    tiles.entry[row][0] = hn::BitCast(floats, hn::InterleaveLower(doubles, ab01, cd01));
    tiles.entry[row][1] = hn::BitCast(floats, hn::InterleaveUpper(doubles, ab01, cd01));
    tiles.entry[row][2] = hn::BitCast(floats, hn::InterleaveLower(doubles, ab23, cd23));
    tiles.entry[row][3] = hn::BitCast(floats, hn::InterleaveUpper(doubles, ab23, cd23));
  }
  return tiles;
}

/// Writes kTilesPerVector masks, given in the order of LoadTiles, in the order of tiles.
HWY_INLINE void StoreTiles(IntVector masks, TileMask* tiles) {
  const Ints ints;
  if (kBlocks > 1) {
    alignas(64) int32_t lane_of_tile[kTilesPerVector];
    for (int64_t tile = 0; tile < kTilesPerVector; ++tile) {
      lane_of_tile[tile] = static_cast<int32_t>(kTilesPerBlock * (tile % kBlocks) + tile / kBlocks);
    }
    masks = hn::TableLookupLanes(masks, hn::SetTableIndices(ints, lane_of_tile));
  }
  const hn::Rebind<TileMask, Ints> words;
  hn::StoreU(hn::DemoteTo(words, masks), words, tiles);
}

/// Calls search(weight, cols, tiles) -> bool, for kTilesPerVector tiles each time, until a row of tiles is done.
/// Nothing beyond the row is read or written. Returns whether all calls returned true.
template <typename Search>
HWY_INLINE bool ForEachVectorOfTiles(const float* weight, int64_t cols, TileMask* tiles, Search search) {
  if (cols >= kColsPerVector) {
    int64_t col = 0;
    bool all = true;
    for (; col + kColsPerVector <= cols; col += kColsPerVector) {
      all &= search(weight + col, cols, tiles + col / kTileSize);
    }
    if (col == cols) return all;
    col = cols - kColsPerVector;  // Overlaps tiles that were searched already, and finds the same.
    return all & search(weight + col, cols, tiles + col / kTileSize);
  }
  float padded_weight[kTileSize * kColsPerVector] = {};
  TileMask padded_tiles[kTilesPerVector];
  for (int row = 0; row < kTileSize; ++row) {
    std::copy_n(weight + row * cols, cols, padded_weight + row * kColsPerVector);
  }
  const bool all = search(padded_weight, kColsPerVector, padded_tiles);
  std::copy_n(padded_tiles, cols / kTileSize, tiles);
  return all;
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_TILE_VECTORS_INL_H_
