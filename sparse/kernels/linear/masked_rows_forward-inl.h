// y = x W^T for few rows of x. Compiled once for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_FORWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_FORWARD_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_FORWARD_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_FORWARD_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/gemm/float_gemm_few_rows-inl.h"
#include "twofour/core/kernels/gemm/float_gemm_pack-inl.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/masked_rows-inl.h"
#include "twofour/sparse/kernels/linear/masked_weight.h"
#include "twofour/sparse/kernels/search/fetching_tile-inl.h"
#include "twofour/sparse/kernels/search/kept_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace masked_rows {

/// Up to this many rows of x, inner products are faster than tiles, as measured on Zen 5. (NEON's vectors are as long
/// as those of SSE4.) The second bound is for weights whose rows are longer than kDotDepth, so that rows of x leave the
/// first-level cache between two uses.
inline constexpr int64_t kMostDotRows = HWY_TARGET == HWY_AVX3 ? 24
                                        : HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_NEON
                                            ? 6
                                            : 1;
inline constexpr int64_t kMostLongDotRows = std::min<int64_t>(kMostDotRows, 12);
/// At most this many rows of x share a load of the weight.
inline constexpr int kDotsAtOnce = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 4 : 3;
/// Rows of the weight whose outputs are written together after a product in tiles. Then the rows and columns of a block
/// of these: the first-level cache holds two such blocks, and as many columns of a panel of x.
inline constexpr int64_t kTileRowsOut = 48, kTileBlockRows = 24, kTileBlockCols = 128;

/// Copies a block of the masked weight, whose first row and column are multiples of 4, to to[r * pitch + c].
inline void CopyBlock(const MaskedWeight& w, int64_t row, int64_t rows, int64_t col, int64_t cols, float* to,
                      int64_t pitch) {
  for (int64_t r = 0; r < rows; r += kTileSize) {
    kept_tiles::CopyKept(
        w.tiles(row + r, col), cols, w.data(row + r, col), w.cols(), [&](int64_t c) { return to + r * pitch + c; },
        pitch);
  }
}

/// Inner products of four rows of the weight, in the columns of `tiles`, with kCount rows of x. Prefetches what lies
/// `ahead` floats further on, because a processor by itself only foresees that long rows go on.
template <int kCount>
void DotsOfTiles(const TileMask* HWY_RESTRICT tiles, const float* HWY_RESTRICT w, int64_t stride, int64_t depth,
                 int64_t ahead, const float* HWY_RESTRICT x, int64_t ldx, float* HWY_RESTRICT out, int64_t ldo,
                 bool accumulate) {
  V sum[kCount][kTileSize];
  TWOFOUR_UNROLL for (int b = 0; b < kCount; ++b) {
    TWOFOUR_UNROLL for (int r = 0; r < kTileSize; ++r) sum[b][r] = hn::Zero(d);
  }
  const int64_t whole = depth / kept_tiles::kGroupCols * kept_tiles::kGroupCols;
  for (int64_t col = 0; col < whole; col += kept_tiles::kGroupCols) {
    const kept_tiles::Group group(tiles + col / kTileSize);
    TWOFOUR_UNROLL for (int r = 0; r < kTileSize; ++r) hwy::Prefetch(w + r * stride + col + ahead);
    TWOFOUR_UNROLL for (int part = 0; part < kept_tiles::kParts; ++part) {
      const auto masks = group.Part(part);
      const int64_t at = col + part * kLanes;
      TWOFOUR_UNROLL for (int r = 0; r < kTileSize; ++r) {
        const V kept = kept_tiles::LoadKept(masks, r, w + r * stride + at);
        TWOFOUR_UNROLL for (int b = 0; b < kCount; ++b) {
          sum[b][r] = hn::MulAdd(kept, hn::LoadU(d, x + b * ldx + at), sum[b][r]);
        }
      }
    }
  }
  TWOFOUR_UNROLL for (int b = 0; b < kCount; ++b) {
    TWOFOUR_UNROLL for (int r = 0; r < kTileSize; ++r) {
      float total = hn::GetLane(hn::SumOfLanes(d, sum[b][r]));
      for (int64_t col = whole; col < depth; ++col) {
        if (Keeps(tiles[col / kTileSize], r, static_cast<int>(col % kTileSize))) {
          total += w[r * stride + col] * x[b * ldx + col];
        }
      }
      float& at = out[b * ldo + r];
      at = accumulate ? at + total : total;
    }
  }
}

/// Multiplies rows of tiles [begin, end) of the weight with few rows of x, as inner products.
inline void ForwardByDots(const MaskedWeight& w, int64_t begin, int64_t end, int64_t batch, const float* x,
                          const Epilogue& epilogue, float* out) {
  const int64_t depth = w.cols(), ldo = w.rows();
  for (int64_t row = begin * kTileSize; row < end * kTileSize; row += kTileSize) {
    ForEachTiledPart(depth, kDotDepth, [&](int64_t first, int64_t last) {
      const auto dots = [&](auto count, int64_t b) {
        DotsOfTiles<decltype(count)::value>(w.tiles(row, first), w.data(row, first), depth, last - first,
                                            kTileSize * depth, x + b * depth + first, depth, out + b * ldo + row, ldo,
                                            first > 0);
      };
      int64_t b = 0;
      for (; b + kDotsAtOnce <= batch; b += kDotsAtOnce) dots(std::integral_constant<int, kDotsAtOnce>(), b);
      if (batch - b == 3) return dots(std::integral_constant<int, 3>(), b);
      if (batch - b == 2) return dots(std::integral_constant<int, 2>(), b);
      if (batch - b == 1) return dots(std::integral_constant<int, 1>(), b);
    });
    for (int64_t b = 0; b < batch; ++b) Finish(epilogue, row, kTileSize, out + b * ldo + row);
  }
}

/// Packs x [batch, depth] into panels of kPanel rows side by side, [depth][kPanel] each. Zeros follow the last row.
inline void PackRows(int64_t batch, int64_t depth, const float* x, float* panels) {
  const int64_t count = CeilDiv(batch, kPanel);
  ParallelFor(count * (depth / kTileSize), RowGrain(kTileSize * kPanel), [&](int64_t begin, int64_t end) {
    const int64_t tiles = depth / kTileSize;
    for (int64_t panel = begin / tiles; panel * tiles < end; ++panel) {
      const int64_t first = std::max<int64_t>(begin - panel * tiles, 0) * kTileSize;
      const int64_t last = std::min(end - panel * tiles, tiles) * kTileSize;
      const int64_t rows = std::min(kPanel, batch - panel * kPanel);
      float* const to = panels + (panel * depth + first) * kPanel;
      if (rows < kPanel) std::fill_n(to, (last - first) * kPanel, 0.0f);
      TransposeInto(rows, last - first, x + panel * kPanel * depth + first, depth, to, kPanel);
    }
  });
}

/// Multiplies rows [begin, end) of the weight with the rows of x in `panels`. A row of the weight gives a row of sums,
/// and each batch row is a column of them. The sums are transposed at the end, so the weight need not be.
inline void ForwardByTiles(const MaskedWeight& w, int64_t begin, int64_t end, int64_t batch, const float* panels,
                           const Epilogue& epilogue, float* out) {
  float* const block = Space<kTileBlockRows * kPitch, 1>();
  float* const sums = Space<kTileRowsOut * kMostRows, 2>();
  const int64_t depth = w.cols(), ldo = w.rows(), lds = RoundUp(batch, kPanel);
  for (int64_t row = begin; row < end; row += kTileRowsOut) {
    const int64_t rows = std::min(kTileRowsOut, end - row);
    ForEachTiledPart(rows, kTileBlockRows, [&](int64_t top, int64_t bottom) {
      ForEachTiledPart(depth, kTileBlockCols, [&](int64_t first, int64_t last) {
        CopyBlock(w, row + top, bottom - top, first, last - first, block, kPitch);
        // The next block lies to the right, or else below.
        const float* const next = last < depth ? w.data(row + top, last) : w.data(row + bottom, 0);
        for (int64_t col = 0; col < batch; col += kPanel) {
          const int64_t vectors = batch - col > kLanes ? 2 : 1;
          ForEachPart(bottom - top, kTileRows, [&](int64_t r, int64_t behind) {
            const fetching_tile::FetchRows<kTileBlockCols> fetch{next + r * depth, depth, behind - r};
            fetching_tile::RunTile(behind - r, vectors, last - first, block + r * kPitch,
                                   panels + col * depth + first * kPanel, sums + (top + r) * lds + col, lds, first > 0,
                                   fetch);
          });
        }
      });
    });
    TransposeInto(rows, batch, sums, lds, out + row, ldo);
    for (int64_t b = 0; b < batch; ++b) Finish(epilogue, row, rows, out + b * ldo + row);
  }
}

inline void Forward(const MaskedWeight& w, int64_t batch, const float* x, const Epilogue& epilogue, float* out) {
  const int64_t grain_rows = CeilDiv(kLeastWork, batch * w.cols());
  if (batch <= (w.cols() > kDotDepth ? kMostLongDotRows : kMostDotRows)) {
    return ParallelFor(w.rows() / kTileSize, CeilDiv(grain_rows, kTileSize),
                       [&](int64_t begin, int64_t end) { ForwardByDots(w, begin, end, batch, x, epilogue, out); });
  }
  AlignedBuffer<float> panels(RoundUp(batch, kPanel) * w.cols());
  PackRows(batch, w.cols(), x, panels.data());
  ParallelFor(CeilDiv(w.rows(), kTileRowsOut), CeilDiv(grain_rows, kTileRowsOut), [&](int64_t begin, int64_t end) {
    ForwardByTiles(w, begin * kTileRowsOut, std::min(end * kTileRowsOut, w.rows()), batch, panels.data(), epilogue,
                   out);
  });
}

}  // namespace masked_rows
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_LINEAR_MASKED_ROWS_FORWARD_INL_H_
