// dx = dy W for few rows of dy. Compiled once for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INPUT_GRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INPUT_GRAD_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INPUT_GRAD_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INPUT_GRAD_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "twofour/core/kernels/gemm/float_gemm_tile-inl.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/masked_rows-inl.h"
#include "twofour/sparse/kernels/linear/masked_weight.h"
#include "twofour/sparse/kernels/search/fetching_tile-inl.h"
#include "twofour/sparse/kernels/search/kept_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace masked_rows {

/// Up to this many rows of dy, the weight is read as it lies, as measured on Zen 5. At most kSumsAtOnce of them share a
/// load of the weight.
inline constexpr int64_t kMostStreamedRows = HWY_TARGET == HWY_AVX3 ? 6 : HWY_TARGET == HWY_AVX2 ? 4 : 2;
inline constexpr int kSumsAtOnce = 4;
/// Columns of a strip. There are so few that its outputs stay in the first-level cache.
inline constexpr int64_t kStripCols = 256;
/// Columns and rows of the weight that are copied at a time for tiles.
inline constexpr int64_t kHotCols = 128, kHotRows = 64;
static_assert(kHotCols % kPanel == 0);

/// out[b][c] += the sum over kTilesDown rows of tiles of dy[b][row] w[row][c], for kCount rows and `cols` columns.
template <int kCount, int kTilesDown>
void AddRowsOfTiles(const TileMask* HWY_RESTRICT tiles, int64_t tile_stride, const float* HWY_RESTRICT w,
                    int64_t stride, int64_t cols, const float* HWY_RESTRICT dy, int64_t ldy, float* HWY_RESTRICT out,
                    int64_t ldo) {
  constexpr int kRows = kTilesDown * kTileSize;
  int64_t col = 0;
  for (; col + kept_tiles::kGroupCols <= cols; col += kept_tiles::kGroupCols) {
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) hwy::Prefetch(w + (r + kRows) * stride + col);
    TWOFOUR_UNROLL for (int part = 0; part < kept_tiles::kParts; ++part) {
      const int64_t at = col + part * kLanes;
      V sum[kCount];
      TWOFOUR_UNROLL for (int b = 0; b < kCount; ++b) sum[b] = hn::LoadU(d, out + b * ldo + at);
      TWOFOUR_UNROLL for (int t = 0; t < kTilesDown; ++t) {
        const auto masks = kept_tiles::Group(tiles + t * tile_stride + col / kTileSize).Part(part);
        TWOFOUR_UNROLL for (int r = 0; r < kTileSize; ++r) {
          const int row = t * kTileSize + r;
          const V kept = kept_tiles::LoadKept(masks, r, w + row * stride + at);
          TWOFOUR_UNROLL for (int b = 0; b < kCount; ++b) {
            sum[b] = hn::MulAdd(kept, hn::Set(d, dy[b * ldy + row]), sum[b]);
          }
        }
      }
      TWOFOUR_UNROLL for (int b = 0; b < kCount; ++b) hn::StoreU(sum[b], d, out + b * ldo + at);
    }
  }
  for (; col < cols; ++col) {
    for (int row = 0; row < kRows; ++row) {
      const TileMask tile = tiles[row / kTileSize * tile_stride + col / kTileSize];
      if (!Keeps(tile, row % kTileSize, static_cast<int>(col % kTileSize))) continue;
      for (int b = 0; b < kCount; ++b) out[b * ldo + col] += dy[b * ldy + row] * w[row * stride + col];
    }
  }
}

template <int kTilesDown>
HWY_INLINE void AddRowsOfTiles(int64_t count, const TileMask* tiles, int64_t tile_stride, const float* w,
                               int64_t stride, int64_t cols, const float* dy, int64_t ldy, float* out, int64_t ldo) {
  using Function = decltype(&AddRowsOfTiles<1, kTilesDown>);
  static constexpr Function kFunctions[kSumsAtOnce] = {AddRowsOfTiles<1, kTilesDown>, AddRowsOfTiles<2, kTilesDown>,
                                                       AddRowsOfTiles<3, kTilesDown>, AddRowsOfTiles<4, kTilesDown>};
  kFunctions[count - 1](tiles, tile_stride, w, stride, cols, dy, ldy, out, ldo);
}

/// Computes columns [begin, end) of the outputs of up to kMostStreamedRows rows, from the weight as it lies.
inline void InputGradByRows(const MaskedWeight& w, int64_t begin, int64_t end, int64_t batch, const float* dy,
                            float* out) {
  constexpr int kTilesDown = 2;
  const int64_t n = w.cols(), k = w.rows(), tile_stride = n / kTileSize;
  for (int64_t b = 0; b < batch; ++b) std::fill(out + b * n + begin, out + b * n + end, 0.0f);
  // The outputs of a single row need no strips. The weight is then read from one end to the other.
  const int64_t strip = batch == 1 ? end - begin : kStripCols;
  for (int64_t col = begin; col < end; col += strip) {
    const int64_t cols = std::min(strip, end - col);
    for (int64_t row = 0; row < k;) {
      const bool both = row + kTilesDown * kTileSize <= k;
      ForEachPart(batch, kSumsAtOnce, [&](int64_t first, int64_t last) {
        const auto add = both ? AddRowsOfTiles<kTilesDown> : AddRowsOfTiles<1>;
        add(last - first, w.tiles(row, col), tile_stride, w.data(row, col), n, cols, dy + first * k + row, k,
            out + first * n + col, n);
      });
      row += both ? kTilesDown * kTileSize : kTileSize;
    }
  }
}

/// Computes panels [begin, end) of the outputs of up to kMostRows rows.
inline void InputGradByTiles(const MaskedWeight& w, int64_t begin, int64_t end, int64_t batch, const float* dy,
                             float* out) {
  float* const a = Space<kMostRows * kPitch, 4>();
  float* const b = Space<kHotCols * kHotRows, 5>();
  const int64_t n = w.cols();
  ForEachTiledPart(w.rows(), kDepth, [&](int64_t block, int64_t block_end) {
    for (int64_t r = 0; r < batch; ++r) std::copy_n(dy + r * w.rows() + block, block_end - block, a + r * kPitch);
    for (int64_t left = begin * kPanel; left < std::min(end * kPanel, n); left += kHotCols) {
      const int64_t cols = std::min({kHotCols, end * kPanel - left, n - left});
      ForEachTiledPart(block_end - block, kHotRows, [&](int64_t first, int64_t last) {
        const int64_t depth = last - first;
        const bool accumulate = block + first > 0;
        if (cols % kPanel != 0) std::fill_n(b + cols / kPanel * kPanel * depth, depth * kPanel, 0.0f);
        for (int64_t r = 0; r < depth; r += kTileSize) {
          kept_tiles::CopyKept(
              w.tiles(block + first + r, left), cols, w.data(block + first + r, left), n,
              [&](int64_t c) { return b + (c / kPanel * depth + r) * kPanel + c % kPanel; }, kPanel);
        }
        // The next block lies below, or else to the right.
        const float* const next = block + last < block_end ? w.data(block + last, left) : w.data(block, left + cols);
        for (int64_t col = 0; col < cols; col += kPanel) {
          const float* const panel = b + col * depth;
          float* const c = out + left + col;
          ForEachPart(batch, kTileRows, [&](int64_t row, int64_t behind) {
            const float* const a_rows = a + row * kPitch + first;
            if (cols - col < kPanel) {
              RunTile(behind - row, cols - col, depth, a_rows, panel, kPanel, c + row * n, n, accumulate, 0);
            } else if (row == 0) {
              const fetching_tile::FetchPanel fetch{next + col, n};
              fetching_tile::RunTile(behind, 2, depth, a_rows, panel, c, n, accumulate, fetch);
            } else {
              RunTile(behind - row, kPanel, depth, a_rows, panel, kPanel, c + row * n, n, accumulate, 0);
            }
          });
        }
      });
    }
  });
}

inline void InputGrad(const MaskedWeight& w, int64_t batch, const float* dy, const Epilogue& epilogue, float* out) {
  const int64_t n = w.cols();
  if (batch <= kMostStreamedRows) {
    constexpr int64_t kUnit = 64;
    ParallelFor(CeilDiv(n, kUnit), CeilDiv(kLeastWork, batch * kUnit * w.rows()), [&](int64_t begin, int64_t end) {
      InputGradByRows(w, begin * kUnit, std::min(end * kUnit, n), batch, dy, out);
    });
  } else {
    ParallelFor(CeilDiv(n, kPanel), CeilDiv(kLeastWork, batch * kPanel * w.rows()),
                [&](int64_t begin, int64_t end) { InputGradByTiles(w, begin, end, batch, dy, out); });
  }
  for (int64_t b = 0; b < batch; ++b) Finish(epilogue, 0, n, out + b * n);
}

}  // namespace masked_rows
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_INPUT_GRAD_INL_H_
