// Products of a panel of bf16 with a VnmTileWeight. Compiled twice: see bf16_vectors-inl.h.
//
// Tiles of activations are made of two rows of the panel by interleaving, so the sums of a square of batch rows are two
// tiles, in the order of InterleaveLower and InterleaveUpper. The sink puts them right.
#ifndef TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PRODUCT_INL_H_
#define TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PRODUCT_INL_H_

#include <algorithm>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/sparse/kernels/amx/tiles-inl.h"
#include "twofour/sparse/kernels/amx/vnm_tile_weight.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_panel-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

static_assert(VnmTileWeight::kElements == kTileElements && VnmTileWeight::kRows == kTileRows);

/// Two tiles: 32 rows of a panel, for a square of batch rows.
inline constexpr int64_t kJoined = 2 * kTileElements;

/// Memory of one thread. `sums` is for as many rows as the product wants.
struct TileScratch {
  TileScratch(const VnmTileWeight& w, int64_t rows)
      : panel((w.slice_cols() + 1) * kPanel), joined(VnmTileWeight::kSliceTiles * kJoined), sums(rows * kPanel) {
    std::fill_n(zeros(w), kPanel, BFloat16::FromBits(0));
  }
  /// A row of the panel that fills up tiles.
  BFloat16* zeros(const VnmTileWeight& w) { return panel.data() + w.slice_cols() * kPanel; }

  AlignedBuffer<BFloat16> panel;   // The columns of a slice, and one of zeros.
  AlignedBuffer<BFloat16> joined;  // The tiles of a slice, for one square.
  AlignedBuffer<float> sums;
};

/// Joins 32 rows of a panel for a square of batch rows: row(i) -> const BFloat16* is where row i has them.
template <typename Row>
HWY_INLINE void JoinRows(const Row& row, BFloat16* to) {
  for (int pair = 0; pair < kTileRows; ++pair) {
    const Pairs a = LoadPairs(row(2 * pair)), b = LoadPairs(row(2 * pair + 1));
    StorePairs(InterleaveLower(a, b), to + pair * 2 * kLanes);
    StorePairs(InterleaveUpper(a, b), to + kTileElements + pair * 2 * kLanes);
  }
}

/// sums [R * 16 rows][pitch] (+)= R rows of tiles of the weight, each `depth` tiles one after the other, times as many
/// joined rows, for one square. Calls ahead(t) before tile t of the depth is used.
template <int R, typename Ahead>
HWY_INLINE void MultiplyTiles(Tiles& tiles, const BFloat16* w, const BFloat16* joined, int64_t depth, bool add,
                              float* sums, int64_t pitch, const Ahead& ahead) {
  constexpr int kLow = 4, kHigh = 5, kW = 6;  // Tiles 0 to 3 hold the sums.
  const int64_t bytes = pitch * static_cast<int64_t>(sizeof(float));
  float* const below = sums + kTileRows * pitch;
  if (add) {
    tiles.Load<0>(sums, bytes), tiles.Load<1>(sums + kLanes, bytes);
    if constexpr (R == 2) tiles.Load<2>(below, bytes), tiles.Load<3>(below + kLanes, bytes);
  } else {
    tiles.Zero<0>(), tiles.Zero<1>();
    if constexpr (R == 2) tiles.Zero<2>(), tiles.Zero<3>();
  }
  for (int64_t t = 0; t < depth; ++t) {
    ahead(t);
    tiles.Load<kW>(w + t * kTileElements, kTileRowBytes);
    tiles.Load<kLow>(joined + t * kJoined, kTileRowBytes);
    tiles.Load<kHigh>(joined + t * kJoined + kTileElements, kTileRowBytes);
    tiles.Multiply<0, kW, kLow>(), tiles.Multiply<1, kW, kHigh>();
    if constexpr (R == 2) {
      tiles.Load<kW + 1>(w + (depth + t) * kTileElements, kTileRowBytes);
      tiles.Multiply<2, kW + 1, kLow>(), tiles.Multiply<3, kW + 1, kHigh>();
    }
  }
  tiles.Store<0>(sums, bytes), tiles.Store<1>(sums + kLanes, bytes);
  if constexpr (R == 2) tiles.Store<2>(below, bytes), tiles.Store<3>(below + kLanes, bytes);
}

/// Hands the sums of rows [row, end) to a sink: see RunPanel.
template <typename Sink>
HWY_INLINE void SinkRows(const float* sums, int64_t row, int64_t end, int64_t squares, Sink& sink) {
  for (; row < end; row += 4) {
    for (int r = 0; r < 4; ++r, sums += kPanel) {
      for (int64_t h = 0; h < squares; ++h) {
        const float* const from = sums + h * kSquare;
        sink.Take(row / 4, r, static_cast<int>(h), LoadFloats(from), LoadFloats(from + kLanes));
      }
    }
    sink.Done(row / 4);
  }
}

/// Rows of `sums` that RunForwardTiles needs for `row_blocks` blocks. If there is one slice, each block's sums are
/// complete at once.
inline int64_t ForwardSums(const VnmTileWeight& w, int64_t row_blocks) {
  return w.slices() > 1 ? row_blocks * w.padded_rows() : w.padded_rows();
}

/// Multiplies blocks [first, last) of W with one panel, of which so many squares are in use. source(col, cols) packs a
/// part of the panel into the scratch memory.
template <typename Source, typename Sink>
HWY_INLINE void RunForwardTiles(const VnmTileWeight& w, Tiles& tiles, int64_t first, int64_t last, int64_t squares,
                                const Source& source, TileScratch& scratch, Sink& sink) {
  const VnmColumns& columns = w.columns();
  BFloat16* const joined = scratch.joined.data();
  for (int64_t slice = 0; slice < w.slices(); ++slice) {
    const int64_t col = slice * w.slice_cols(), end_group = w.first(slice) + w.count(slice);
    source(col, std::min(w.slice_cols(), w.cols() - col));
    for (int64_t block = first; block < last; ++block) {
      const VnmTileWeight::Part part = w.ForwardPart(slice, block);
      float* const block_sums = scratch.sums.data() + (w.slices() > 1 ? (block - first) * w.padded_rows() : 0) * kPanel;
      for (int64_t h = 0; h < squares; ++h) {
        const BFloat16* const x = scratch.panel.data() + h * kSquare;
        const BFloat16* const zeros = scratch.zeros(w) + h * kSquare;
        // The columns that this block keeps.
        const auto join = [&](int64_t t) {
          JoinRows(
              [&](int i) {
                const int64_t group = part.group + t * VnmTileWeight::kGroups + i / VnmPattern::kColumns;
                if (group >= end_group) return zeros;
                const int32_t at = columns.at(block, group)[i % VnmPattern::kColumns];
                return at == VnmColumns::kNone ? zeros : x + (at - col) * kPanel;
              },
              joined + t * kJoined);
        };
        // A tile is joined while the one before it is multiplied: tiles are not loaded from writes that are under way.
        const auto ahead = [&](int64_t t) {
          if (t == 0) join(0);
          if (t + 1 < part.depth_tiles) join(t + 1);
        };
        const auto joined_before = [](int64_t) {};
        for (int64_t i = 0; i < part.row_tiles; i += 2) {
          const BFloat16* const from = w.tiles(part) + i * part.depth_tiles * kTileElements;
          float* const to = block_sums + i * kTileRows * kPanel + h * kSquare;
          const auto multiply = [&](const auto& before) {
            if (i + 1 < part.row_tiles) {
              MultiplyTiles<2>(tiles, from, joined, part.depth_tiles, slice > 0, to, kPanel, before);
            } else {
              MultiplyTiles<1>(tiles, from, joined, part.depth_tiles, slice > 0, to, kPanel, before);
            }
          };
          i == 0 ? multiply(ahead) : multiply(joined_before);
        }
      }
      if (slice + 1 == w.slices()) {
        SinkRows(block_sums, block * columns.v(), std::min((block + 1) * columns.v(), w.rows()), squares, sink);
      }
    }
  }
}

/// Adds the sums [32][kSquare] of a part of W transposed to the rows that it names, where `sums` begins at row `first`.
HWY_INLINE void AddNamedRows(const VnmColumns& columns, const VnmTileWeight::Part& part, int64_t first,
                             const float* from, float* sums) {
  const int64_t end = std::min(part.group + VnmTileWeight::kGroups, columns.groups());
  for (int64_t group = part.group; group < end; ++group) {
    const VnmColumns::Four& four = columns.at(part.row_block, group);
    for (int i = 0; i < VnmPattern::kColumns; ++i, from += kSquare) {
      if (four[i] == VnmColumns::kNone) continue;
      float* const to = sums + (four[i] - first) * kPanel;
      StoreFloats(Add(LoadFloats(to), LoadFloats(from)), to);
      StoreFloats(Add(LoadFloats(to + kLanes), LoadFloats(from + kLanes)), to + kLanes);
    }
  }
}

/// Multiplies rows [first, last) of W transposed with one panel. `first` is the first row of a range of groups.
template <typename Source, typename Sink>
HWY_INLINE void RunInputGradTiles(const VnmTileWeight& w, Tiles& tiles, int64_t first, int64_t last, int64_t squares,
                                  const Source& source, TileScratch& scratch, Sink& sink) {
  const VnmColumns& columns = w.columns();
  const int64_t v = columns.v(), range_rows = columns.m() * VnmTileWeight::kGroups;
  const int64_t first_range = first / range_rows, last_range = CeilDiv(last, range_rows);
  BFloat16* const joined = scratch.joined.data();
  float* const sums = scratch.sums.data();
  std::fill_n(sums, (last - first) * kPanel, 0.0f);
  for (int64_t slice = 0; slice < w.slices(); ++slice) {
    const int64_t col = slice * w.slice_cols(), cols = std::min(w.slice_cols(), w.cols() - col);
    source(col, cols);
    for (int64_t h = 0; h < squares; ++h) {
      const BFloat16* const x = scratch.panel.data() + h * kSquare;
      const BFloat16* const zeros = scratch.zeros(w) + h * kSquare;
      for (int64_t t = 0; t < w.count(slice) * w.block_tiles(); ++t) {
        const int64_t block = t / w.block_tiles(), row = t % w.block_tiles() * VnmTileWeight::kDepth;
        const auto in_panel = [&](int i) {
          const int64_t at = block * v + row + i;
          return row + i < v && at < cols ? x + at * kPanel : zeros;
        };
        JoinRows(in_panel, joined + t * kJoined);
      }
      // What was multiplied is added while the next part is multiplied.
      alignas(64) float products[2][VnmTileWeight::kDepth * kSquare];
      VnmTileWeight::Part before{};
      int64_t done = 0;
      for (int64_t range = first_range; range < last_range; ++range) {
        for (int64_t i = 0; i < w.count(slice); ++i, ++done) {
          const VnmTileWeight::Part part = w.InputGradPart(slice, range, i);
          MultiplyTiles<2>(tiles, w.tiles(part), joined + i * w.block_tiles() * kJoined, part.depth_tiles, false,
                           products[done % 2], kSquare, [](int64_t) {});
          if (done > 0) AddNamedRows(columns, before, first, products[(done + 1) % 2], sums + h * kSquare);
          before = part;
        }
      }
      if (done > 0) AddNamedRows(columns, before, first, products[(done + 1) % 2], sums + h * kSquare);
    }
  }
  SinkRows(sums, first, last, squares, sink);
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PRODUCT_INL_H_
