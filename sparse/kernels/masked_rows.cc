// Few batch rows times the dense weight as it lies, under its tile masks: for products that take about as long as one
// copy of the weight does. What the masks keep is copied a cache-sized block at a time, just before the dense kernels'
// inner loops (core/kernels/float_gemm_*-inl.h) multiply with it.
#include "twofour/core/kernels/simd_targets.h"
//
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "twofour/core/parallel.h"
#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/sparse/kernels/linear_kernels.h"
#include "twofour/sparse/kernels/masked_weight.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/masked_rows.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/float_gemm_few_rows-inl.h"
#include "twofour/core/kernels/float_gemm_pack-inl.h"
#include "twofour/core/kernels/float_gemm_tile-inl.h"
#include "twofour/sparse/kernels/fetching_tile-inl.h"
#include "twofour/sparse/kernels/kept_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

using namespace kernels::HWY_NAMESPACE::float_gemm;

/// Batch rows that are multiplied at a time.
constexpr int64_t kMostRows = 256;
/// Rows of x up to which inner products beat tiles, as in dense products; and the most of them that share a load of the
/// weight.
constexpr int64_t kMostDotRows = 24;
constexpr int kDotsAtOnce = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 4 : 3;
/// Rows of dy up to which the weight is read as it lies; and the most of them that share a load of the weight.
constexpr int64_t kMostStreamedRows = 4;
constexpr int kSumsAtOnce = 4;
/// Columns of a strip, so that its outputs stay in the first-level cache.
constexpr int64_t kStripCols = 256;
/// Rows of the weight whose outputs are written together after a product in tiles; and of those the rows and columns in
/// a block, which the first-level cache holds twice beside as many columns of a panel of x.
constexpr int64_t kTileRowsOut = 48, kTileBlockRows = 24, kTileBlockCols = 128;
/// Columns of the weight that are copied at a time for tiles, and rows of them.
constexpr int64_t kHotCols = 128, kHotRows = 64;
static_assert(kHotCols % kPanel == 0);

/// Kept by each thread: to ask the system for fresh pages takes longer than a small product.
template <int64_t kFloats, int kWhich>
float* Space() {
  thread_local Storage space(kFloats * sizeof(float));
  return reinterpret_cast<float*>(space.data());
}

float* Floats(Storage& storage) { return reinterpret_cast<float*>(storage.data()); }

/// A block of the masked weight, from a row and a column that are multiples of 4: to[r * pitch + c].
void CopyBlock(const MaskedWeight& w, int64_t row, int64_t rows, int64_t col, int64_t cols, float* to, int64_t pitch) {
  for (int64_t r = 0; r < rows; r += kTileSize) {
    kept_tiles::CopyKept(
        w.tiles(row + r, col), cols, w.data(row + r, col), w.cols(), [&](int64_t c) { return to + r * pitch + c; },
        pitch);
  }
}

/// Calls f(begin, end) for the fewest parts of [0, count), a multiple of 4, of at most `most`, another, as equal as
/// can be in multiples of 4.
template <typename F>
HWY_INLINE void ForEachTiledPart(int64_t count, int64_t most, const F& f) {
  ForEachPart(count / kTileSize, most / kTileSize,
              [&](int64_t begin, int64_t end) { f(begin * kTileSize, end * kTileSize); });
}

/// One row of a block of outputs, after the product.
HWY_INLINE void Finish(const Epilogue& epilogue, int64_t first, int64_t count, float* out) {
  if (epilogue.bias != nullptr) {
    for (int64_t i = 0; i < count; ++i) out[i] += epilogue.bias[first + i];
  }
  if (!epilogue.relu_squared) return;
  for (int64_t i = 0; i < count; ++i) {
    const float positive = out[i] < 0 ? 0.0f : out[i];
    out[i] = positive * positive;
  }
}

/// Inner products of four rows of the weight, the columns of `tiles`, and kCount rows of x. Fetches what lies `ahead`
/// floats behind: a processor sees by itself only that long rows go on.
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

/// Rows of tiles [begin, end) of the weight times up to kMostDotRows rows of x, as inner products.
void ForwardByDots(const MaskedWeight& w, int64_t begin, int64_t end, int64_t batch, const float* x,
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

/// x [batch, depth] in panels of kPanel rows side by side, [depth][kPanel] each, zeros behind the last row.
void PackRows(int64_t batch, int64_t depth, const float* x, float* panels) {
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

/// Rows [begin, end) of the weight times rows of x in `panels`: a row of the weight makes a row of sums, each batch row
/// a column; they are then transposed. Weights so need no order of their own.
void ForwardByTiles(const MaskedWeight& w, int64_t begin, int64_t end, int64_t batch, const float* panels,
                    const Epilogue& epilogue, float* out) {
  float* const block = Space<kTileBlockRows * kPitch, 1>();
  float* const sums = Space<kTileRowsOut * kMostRows, 2>();
  const int64_t depth = w.cols(), ldo = w.rows(), lds = CeilDiv(batch, kPanel) * kPanel;
  for (int64_t row = begin; row < end; row += kTileRowsOut) {
    const int64_t rows = std::min(kTileRowsOut, end - row);
    ForEachTiledPart(rows, kTileBlockRows, [&](int64_t top, int64_t bottom) {
      ForEachTiledPart(depth, kTileBlockCols, [&](int64_t first, int64_t last) {
        CopyBlock(w, row + top, bottom - top, first, last - first, block, kPitch);
        // What comes next lies to the right, or else below.
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

void Forward(const MaskedWeight& w, int64_t batch, const float* x, const Epilogue& epilogue, float* out) {
  const int64_t grain_rows = CeilDiv(kLeastWork, batch * w.cols());
  if (batch <= kMostDotRows) {
    return ParallelFor(w.rows() / kTileSize, CeilDiv(grain_rows, kTileSize),
                       [&](int64_t begin, int64_t end) { ForwardByDots(w, begin, end, batch, x, epilogue, out); });
  }
  Storage panels(CeilDiv(batch, kPanel) * kPanel * w.cols() * sizeof(float));
  PackRows(batch, w.cols(), x, Floats(panels));
  ParallelFor(CeilDiv(w.rows(), kTileRowsOut), CeilDiv(grain_rows, kTileRowsOut), [&](int64_t begin, int64_t end) {
    ForwardByTiles(w, begin * kTileRowsOut, std::min(end * kTileRowsOut, w.rows()), batch, Floats(panels), epilogue,
                   out);
  });
}

/// out[b][c] += the sum over kTiles rows of tiles of dy[b][row] w[row][c], for kCount rows and `cols` columns.
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

/// Columns [begin, end) of the outputs of up to kMostStreamedRows rows, from the weight as it lies.
void InputGradByRows(const MaskedWeight& w, int64_t begin, int64_t end, int64_t batch, const float* dy, float* out) {
  constexpr int kTilesDown = 2;
  const int64_t n = w.cols(), k = w.rows(), tile_stride = n / kTileSize;
  for (int64_t b = 0; b < batch; ++b) std::fill(out + b * n + begin, out + b * n + end, 0.0f);
  // One row's outputs need no strips, and the weight is then read from one end to the other.
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

/// Panels [begin, end) of the outputs of up to kMostRows rows.
void InputGradByTiles(const MaskedWeight& w, int64_t begin, int64_t end, int64_t batch, const float* dy, float* out) {
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
        // What comes next lies below, or else to the right.
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

void InputGrad(const MaskedWeight& w, int64_t batch, const float* dy, const Epilogue& epilogue, float* out) {
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

void Multiply(const PackedWeight& packed, Direction direction, int64_t batch, const float* in, const Epilogue& epilogue,
              float* out) {
  const auto& w = static_cast<const MaskedWeight&>(packed);
  const bool forward = direction == Direction::kForward;
  const int64_t n = forward ? w.rows() : w.cols(), depth = forward ? w.cols() : w.rows();
  if (n == 0) return;
  if (depth == 0) {
    std::fill_n(out, batch * n, 0.0f);
    for (int64_t b = 0; b < batch; ++b) Finish(epilogue, 0, n, out + b * n);
    return;
  }
  for (int64_t row = 0; row < batch; row += kMostRows) {
    const int64_t rows = std::min(kMostRows, batch - row);
    if (forward) {
      Forward(w, rows, in + row * w.cols(), epilogue, out + row * w.rows());
    } else {
      InputGrad(w, rows, in + row * w.rows(), epilogue, out + row * w.cols());
    }
  }
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

std::string WhyNot(const LinearShape& shape) {
  const std::string here = WhyNotHere(HWY_TARGET);
  return here.empty() ? WhyNotTiled(shape) : here;
}

std::string WhySlower(const LinearShape& shape) {
  constexpr int64_t kMost = 256;  // Batch rows for which one pass over the masks is enough.
  if (shape.batch <= kMost) return {};
  return fmt::format("pays up to {} batch rows, here {}", kMost, shape.batch);
}

std::unique_ptr<PackedWeight> Pack(const float* weight, const Mask& mask, Direction) {
  return std::make_unique<MaskedWeight>(weight, mask);
}

LinearKernel Kernel(std::string_view name, std::string_view tiling) {
  return {.name = name,
          .family = "masked_rows",
          .target = HWY_TARGET,
          .tiling = tiling,
          .one_packing = true,
          .refers_to_weight = true,
          .why_not = WhyNot,
          .why_slower = WhySlower,
          .pack = Pack,
          .multiply = Multiply};
}

}  // namespace

LinearKernel MaskedRowsKernel() {
#if HWY_TARGET == HWY_AVX3
  return Kernel("masked_rows_avx512", "48 rows of the weight x 2 vectors of 16, 256 columns");
#elif HWY_TARGET == HWY_AVX2
  return Kernel("masked_rows_avx2", "48 rows of the weight x 2 vectors of 8, 256 columns");
#elif HWY_TARGET == HWY_SSE4
  return Kernel("masked_rows_sse4", "48 rows of the weight x 2 vectors of 4, 256 columns");
#elif HWY_TARGET == HWY_NEON
  return Kernel("masked_rows_neon", "48 rows of the weight x 2 vectors of 4, 256 columns");
#else
  return Kernel("masked_rows_portable", "48 rows of the weight x 2 vectors of 4, 256 columns");
#endif
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd_table.h"

namespace twofour::sparse {

std::span<const LinearKernel> MaskedRowsKernels() {
#define TWOFOUR_ROW(space, target) space::MaskedRowsKernel(),
  static const LinearKernel kernels[] = {TWOFOUR_FOR_EACH_TARGET(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

}  // namespace twofour::sparse
#endif
