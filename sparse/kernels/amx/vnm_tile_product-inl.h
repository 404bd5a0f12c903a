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
static_assert(VnmTileWeight::kBatch == kSquare);

/// Two tiles: 32 rows of a panel, for a square of batch rows.
inline constexpr int64_t kJoined = 2 * kTileElements;

/// Memory of one thread. A square of batch rows has a panel and sums of its own, because rows of 64 bytes one after the
/// other use all of the first-level cache, and every other line only half of it.
class TileScratch {
 public:
  /// `rows` is the number of rows of sums that the product wants.
  TileScratch(const VnmTileWeight& w, int64_t rows)
      : panel_size_((w.slice_cols() + 1) * kSquare),
        sums_size_(rows * kSquare),
        panels_(kSquares * panel_size_),
        joined_(VnmTileWeight::kSliceTiles * kJoined),
        sums_(kSquares * sums_size_) {
    for (int64_t h = 1; h <= kSquares; ++h) {
      std::fill_n(panels_.data() + h * panel_size_ - kSquare, kSquare, BFloat16::FromBits(0));
    }
  }

  /// Of square h, [columns of a slice and one of zeros][kSquare].
  BFloat16* panel(int64_t h) { return panels_.data() + h * panel_size_; }
  /// Of square h, [rows][kSquare].
  float* sums(int64_t h) { return sums_.data() + h * sums_size_; }
  /// The tiles of a slice, for one square.
  BFloat16* joined() { return joined_.data(); }

 private:
  static constexpr int64_t kSquares = kPanel / kSquare;
  int64_t panel_size_, sums_size_;
  AlignedBuffer<BFloat16> panels_, joined_;
  AlignedBuffer<float> sums_;
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

/// sums [R * 16 rows][kSquare] (+)= R rows of tiles of the weight, each `depth` tiles one after the other, times as
/// many joined rows, for one square. Calls ahead(t) before tile t of the depth is used.
template <int R, typename Ahead>
HWY_INLINE void MultiplyTiles(Tiles& tiles, const BFloat16* w, const BFloat16* joined, int64_t depth, bool add,
                              float* sums, const Ahead& ahead) {
  constexpr int kLow = 4, kHigh = 5, kW = 6;  // Tiles 0 to 3 hold the sums.
  constexpr int64_t kBytes = kSquare * static_cast<int64_t>(sizeof(float));
  float* const below = sums + kTileRows * kSquare;
  if (add) {
    tiles.Load<0>(sums, kBytes), tiles.Load<1>(sums + kLanes, kBytes);
    if constexpr (R == 2) tiles.Load<2>(below, kBytes), tiles.Load<3>(below + kLanes, kBytes);
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
  tiles.Store<0>(sums, kBytes), tiles.Store<1>(sums + kLanes, kBytes);
  if constexpr (R == 2) tiles.Store<2>(below, kBytes), tiles.Store<3>(below + kLanes, kBytes);
}

/// Hands rows [row, end) to a sink (see RunPanel), whose sums are from row `at` of the scratch memory on.
template <typename Sink>
HWY_INLINE void SinkRows(TileScratch& scratch, int64_t at, int64_t row, int64_t end, int64_t squares, Sink& sink) {
  for (; row < end; row += 4) {
    for (int r = 0; r < 4; ++r, ++at) {
      for (int64_t h = 0; h < squares; ++h) {
        const float* const from = scratch.sums(h) + at * kSquare;
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

/// Multiplies blocks [first, last) of W with one panel, of which so many squares are in use. source(col, cols) packs
/// columns into the panels of the scratch memory.
template <typename Source, typename Sink>
HWY_INLINE void RunForwardTiles(const VnmTileWeight& w, Tiles& tiles, int64_t first, int64_t last, int64_t squares,
                                const Source& source, TileScratch& scratch, Sink& sink) {
  const int64_t v = w.columns().v();
  BFloat16* const joined = scratch.joined();
  for (int64_t slice = 0; slice < w.slices(); ++slice) {
    const int64_t col = slice * w.slice_cols();
    source(col, std::min(w.slice_cols(), w.cols() - col));
    for (int64_t block = first; block < last; ++block) {
      const VnmTileWeight::Part part = w.ForwardPart(slice, block);
      const uint32_t* const offsets = w.offsets(part);
      const int64_t at = w.slices() > 1 ? (block - first) * w.padded_rows() : 0;
      for (int64_t h = 0; h < squares; ++h) {
        const BFloat16* const x = scratch.panel(h);
        // Joins the columns that this block keeps.
        const auto join = [&](int64_t t) {
          const uint32_t* const from = offsets + t * VnmTileWeight::kDepth;
          JoinRows([&](int i) { return x + from[i]; }, joined + t * kJoined);
        };
        // A tile is joined while the one before it is multiplied: tiles are not loaded from writes that are under way.
        const auto ahead = [&](int64_t t) {
          if (t == 0) join(0);
          if (t + 1 < part.depth_tiles) join(t + 1);
        };
        const auto joined_before = [](int64_t) {};
        for (int64_t i = 0; i < part.row_tiles; i += 2) {
          const BFloat16* const from = w.tiles(part) + i * part.depth_tiles * kTileElements;
          float* const to = scratch.sums(h) + (at + i * kTileRows) * kSquare;
          const auto multiply = [&](const auto& before) {
            if (i + 1 < part.row_tiles) {
              MultiplyTiles<2>(tiles, from, joined, part.depth_tiles, slice > 0, to, before);
            } else {
              MultiplyTiles<1>(tiles, from, joined, part.depth_tiles, slice > 0, to, before);
            }
          };
          i == 0 ? multiply(ahead) : multiply(joined_before);
        }
      }
      if (slice + 1 == w.slices()) SinkRows(scratch, at, block * v, std::min((block + 1) * v, w.rows()), squares, sink);
    }
  }
}

/// Adds the sums [32][kSquare] of a part of W transposed to the rows that it names, where `sums` begins at row `first`.
HWY_INLINE void AddNamedRows(const VnmColumns& columns, const VnmTileWeight::Part& part, int64_t first,
                             const float* from, float* sums) {
  const int64_t end = std::min(part.group + VnmTileWeight::kGroups, columns.groups());
  for (int64_t group = part.group; group < end; ++group) {
    const VnmColumns::Four& four = columns.at(part.row_block, group);
    TWOFOUR_UNROLL
    for (int i = 0; i < VnmPattern::kColumns; ++i, from += kSquare) {
      if (four[i] == VnmColumns::kNone) break;  // The last columns of the weight are none.
      float* const to = sums + (four[i] - first) * kSquare;
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
  BFloat16* const joined = scratch.joined();
  for (int64_t h = 0; h < squares; ++h) std::fill_n(scratch.sums(h), (last - first) * kSquare, 0.0f);
  for (int64_t slice = 0; slice < w.slices(); ++slice) {
    const int64_t col = slice * w.slice_cols(), cols = std::min(w.slice_cols(), w.cols() - col);
    source(col, cols);
    for (int64_t h = 0; h < squares; ++h) {
      const BFloat16* const x = scratch.panel(h);
      const BFloat16* const zeros = x + w.slice_cols() * kSquare;
      for (int64_t t = 0; t < w.count(slice) * w.block_tiles(); ++t) {
        const int64_t block = t / w.block_tiles(), row = t % w.block_tiles() * VnmTileWeight::kDepth;
        const auto in_panel = [&](int i) {
          const int64_t at = block * v + row + i;
          return row + i < v && at < cols ? x + at * kSquare : zeros;
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
                           products[done % 2], [](int64_t) {});
          if (done > 0) AddNamedRows(columns, before, first, products[(done + 1) % 2], scratch.sums(h));
          before = part;
        }
      }
      if (done > 0) AddNamedRows(columns, before, first, products[(done + 1) % 2], scratch.sums(h));
    }
  }
  SinkRows(scratch, 0, first, last, squares, sink);
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_AMX_VNM_TILE_PRODUCT_INL_H_
