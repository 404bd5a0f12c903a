// Dense products in float. C is computed in tiles that fit into the registers; each element of C is summed over k in an
// order that depends on k alone, so C may be cut among threads anywhere. Compiled once for each instruction set.
#include "twofour/core/kernels/simd_targets.h"
//
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "twofour/core/kernels/float_gemm.h"
#include "twofour/core/parallel.h"
#include "twofour/core/storage.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/float_gemm.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

// Loops over registers must be unrolled whole, or the registers become memory.
#undef TWOFOUR_UNROLL
#undef TWOFOUR_UNROLL_BY_4
#if HWY_COMPILER_CLANG
#define TWOFOUR_UNROLL _Pragma("clang loop unroll(full)")
#define TWOFOUR_UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define TWOFOUR_UNROLL _Pragma("GCC unroll 16")
#define TWOFOUR_UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr D d;
constexpr int kLanes = hn::MaxLanes(D());

// A tile of C is kTileRows x 2 vectors: with two vectors of B and one element of A it fills the registers.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kTileRows = 14;
constexpr int kDotRows = 4, kDotCols = 6;
#else
constexpr int kTileRows = 6;
constexpr int kDotRows = 3, kDotCols = 4;
#endif
constexpr int64_t kPanel = 2 * kLanes;

/// Depth of the packed blocks: a panel of B then stays in the first-level cache.
constexpr int64_t kDepth = 256;
/// Floats from one row of packed A to the next; more than kDepth, so that rows spread over the sets of the cache.
constexpr int64_t kPitch = kDepth + 16;
/// Rows of a packed block of A, which then stays in the second-level cache.
constexpr int64_t kBlockRows = 256;
/// Floats of packed B that stay in the first-level cache while A passes by: one panel, or several where k is short, so
/// that rows of C are written as long runs.
constexpr int64_t kHotB = kDepth * kPanel;
/// Floats of B that are packed at a time: several cache lines of each of its rows, which may lie pages apart.
constexpr int64_t kPackedB = 4 * kHotB;
/// With fewer rows, packing B costs more than it saves.
constexpr int64_t kFewRows = 24;
/// Inner products of whole rows beat tiles up to here where B is transposed, which is costly to pack.
constexpr int64_t kMostDotRows = 48, kLeastDotDepth = 64;
/// Depth at which rows of B, a tile of them, stay in the first-level cache.
constexpr int64_t kDotDepth = 1024;

/// Multiply-adds that are worth a thread.
constexpr int64_t kLeastWork = 64 * 64 * 64;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Calls f(begin, end) for the fewest parts of [0, count) of at most `most`, as equal as can be.
template <typename F>
HWY_INLINE void ForEachPart(int64_t count, int64_t most, F f) {
  const int64_t parts = CeilDiv(count, most);
  for (int64_t part = 0; part < parts; ++part) f(count * part / parts, count * (part + 1) / parts);
}

/// C = A B or C += A B for kRows rows and kVectors vectors of columns. A is packed ([kRows][kPitch]).
template <int kRows, int kVectors>
void Tile(int64_t depth, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t ldb, float* HWY_RESTRICT c,
          int64_t ldc, bool accumulate, int64_t ahead) {
  V sum[kRows][kVectors];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    if (accumulate) hwy::Prefetch(c + r * ldc);
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  TWOFOUR_UNROLL_BY_4 for (int64_t l = 0; l < depth; ++l) {
    hwy::Prefetch(b + ahead);
    V x[kVectors];
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, b + v * kLanes);
    b += ldb;
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
      const V w = hn::Set(d, a[r * kPitch + l]);
      TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(w, x[v], sum[r][v]);
    }
  }
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) {
      float* const at = c + r * ldc + v * kLanes;
      hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, at), sum[r][v]) : sum[r][v], d, at);
    }
  }
}

using TileFunction = void (*)(int64_t, const float*, const float*, int64_t, float*, int64_t, bool, int64_t);

template <int kVectors, int... kRows>
constexpr std::array<TileFunction, sizeof...(kRows)> TilesOf(std::integer_sequence<int, kRows...>) {
  return {Tile<kRows + 1, kVectors>...};
}

/// kTiles[vectors - 1][rows - 1].
constexpr std::array<TileFunction, kTileRows> kTiles[] = {TilesOf<1>(std::make_integer_sequence<int, kTileRows>()),
                                                          TilesOf<2>(std::make_integer_sequence<int, kTileRows>())};

#if HWY_TARGET != HWY_SCALAR
/// Blocks of four floats, `stride` apart.
template <class DV>
HWY_INLINE hn::Vec<DV> LoadBlocks(DV dv, const float* from, int64_t stride) {
  if constexpr (hn::MaxLanes(DV()) == 4) {
    return hn::LoadU(dv, from);
  } else {
    const hn::Half<DV> half;
    constexpr int64_t kHalfBlocks = hn::MaxLanes(DV()) / 8;
    return hn::Combine(dv, LoadBlocks(half, from + kHalfBlocks * stride, stride), LoadBlocks(half, from, stride));
  }
}
#endif

/// to[c][r] = from[r][c] for r in [0, rows) and c in [0, cols).
void TransposeInto(int64_t rows, int64_t cols, const float* HWY_RESTRICT from, int64_t from_stride,
                   float* HWY_RESTRICT to, int64_t to_stride) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; r + kLanes <= rows; r += kLanes) {
    const float* const row = from + r * from_stride;
    int64_t c = 0;
    for (; c + 4 <= cols; c += 4) {
      // Block b of four lanes of v[i] holds four columns of row 4 b + i.
      V v[4];
      TWOFOUR_UNROLL for (int i = 0; i < 4; ++i) v[i] = LoadBlocks(d, row + i * from_stride + c, 4 * from_stride);
      const V even_low = hn::InterleaveLower(d, v[0], v[2]), odd_low = hn::InterleaveLower(d, v[1], v[3]);
      const V even_high = hn::InterleaveUpper(d, v[0], v[2]), odd_high = hn::InterleaveUpper(d, v[1], v[3]);
      float* const at = to + c * to_stride + r;
      hn::StoreU(hn::InterleaveLower(d, even_low, odd_low), d, at);
      hn::StoreU(hn::InterleaveUpper(d, even_low, odd_low), d, at + to_stride);
      hn::StoreU(hn::InterleaveLower(d, even_high, odd_high), d, at + 2 * to_stride);
      hn::StoreU(hn::InterleaveUpper(d, even_high, odd_high), d, at + 3 * to_stride);
    }
    for (; c < cols; ++c) {
      for (int64_t i = 0; i < kLanes; ++i) to[c * to_stride + r + i] = row[i * from_stride + c];
    }
  }
#endif
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

/// Packs rows [row, row + rows) and depth [first, first + depth) of op(A) into [rows][kPitch].
void PackA(const GemmProblem<float>& p, int64_t row, int64_t rows, int64_t first, int64_t depth, float* to) {
  if (p.transpose_a == Transpose::kYes) {
    TransposeInto(depth, rows, p.a + first * p.lda + row, p.lda, to, kPitch);
  } else {
    for (int64_t r = 0; r < rows; ++r) std::copy_n(p.a + (row + r) * p.lda + first, depth, to + r * kPitch);
  }
}

/// Packs columns [col, col + width) of op(B) into panels, [depth][kPanel] each, with zeros behind the last column.
void PackB(const GemmProblem<float>& p, int64_t col, int64_t width, int64_t first, int64_t depth, float* to) {
  const int64_t whole = width / kPanel, rest = width % kPanel;
  if (rest > 0) std::fill_n(to + whole * depth * kPanel, depth * kPanel, 0.0f);
  if (p.transpose_b == Transpose::kYes) {
    const float* const from = p.b + col * p.ldb + first;
    for (int64_t j = 0; j < width; j += kPanel) {
      TransposeInto(std::min(kPanel, width - j), depth, from + j * p.ldb, p.ldb, to + j * depth, kPanel);
    }
    return;
  }
  for (int64_t l = 0; l < depth; ++l) {
    const float* const from = p.b + (first + l) * p.ldb + col;
    float* const row = to + l * kPanel;
    for (int64_t panel = 0; panel < whole; ++panel) {
      for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
        hn::StoreU(hn::LoadU(d, from + panel * kPanel + lane), d, row + panel * depth * kPanel + lane);
      }
    }
    std::copy_n(from + whole * kPanel, rest, row + whole * depth * kPanel);
  }
}

/// A tile whose last vector may reach beyond the matrix: it is computed beside C.
void RunTile(int64_t rows, int64_t width, int64_t depth, const float* a, const float* b, int64_t ldb, float* c,
             int64_t ldc, bool accumulate, int64_t ahead) {
  const int64_t vectors = CeilDiv(width, kLanes);
  const TileFunction tile = kTiles[vectors - 1][rows - 1];
  if (width == vectors * kLanes) return tile(depth, a, b, ldb, c, ldc, accumulate, ahead);
  float beside[kTileRows * kPanel] = {};
  for (int64_t r = 0; r < rows && accumulate; ++r) std::copy_n(c + r * ldc, width, beside + r * kPanel);
  tile(depth, a, b, ldb, beside, kPanel, accumulate, ahead);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(beside + r * kPanel, width, c + r * ldc);
}

/// Rows [row, row + rows) of C for the panels [first_panel, last_panel) of B.
void RunBlock(const GemmProblem<float>& p, int64_t row, int64_t rows, int64_t first_panel, int64_t last_panel, float* a,
              float* b) {
  const bool b_in_place = rows <= kFewRows && p.transpose_b == Transpose::kNo;
  ForEachPart(p.k, kDepth, [&](int64_t first, int64_t end) {
    const int64_t depth = end - first;
    const bool accumulate = p.accumulate || first > 0;
    PackA(p, row, rows, first, depth, a);
    const auto columns = [&](int64_t panel) { return std::min(kPanel, p.n - panel * kPanel); };
    const int64_t packed = kPackedB / (depth * kPanel), hot = kHotB / (depth * kPanel);
    for (int64_t begin = first_panel; begin < last_panel; begin += packed) {
      const int64_t behind = std::min(begin + packed, last_panel);
      // In place, only a last panel that is not whole is packed.
      const int64_t packed_from = !b_in_place ? begin : columns(behind - 1) < kPanel ? behind - 1 : behind;
      if (packed_from < behind) {
        const int64_t col = packed_from * kPanel;
        PackB(p, col, std::min(behind * kPanel, p.n) - col, first, depth, b);
      }
      for (int64_t hot_begin = begin; hot_begin < behind; hot_begin += hot) {
        const int64_t hot_behind = std::min(hot_begin + hot, behind);
        ForEachPart(rows, kTileRows, [&](int64_t top, int64_t bottom) {
          for (int64_t panel = hot_begin; panel < hot_behind; ++panel) {
            const bool in_place = panel < packed_from;
            const float* const from =
                in_place ? p.b + first * p.ldb + panel * kPanel : b + (panel - packed_from) * depth * kPanel;
            RunTile(bottom - top, columns(panel), depth, a + top * kPitch, from, in_place ? p.ldb : kPanel,
                    p.c + (row + top) * p.ldc + panel * kPanel, p.ldc, accumulate, in_place ? kPanel : 8 * kPanel);
          }
        });
      }
    }
  });
}

float* Floats(Storage& storage) { return reinterpret_cast<float*>(storage.data()); }

/// Units of work are panels of B for one block of rows.
void RunPacked(const GemmProblem<float>& p) {
  const int64_t panels = CeilDiv(p.n, kPanel), row_blocks = CeilDiv(p.m, kBlockRows);
  const int64_t unit = CeilDiv(p.m, row_blocks) * kPanel * p.k;
  ParallelFor(row_blocks * panels, CeilDiv(kLeastWork, unit), [&](int64_t begin, int64_t end) {
    // Kept by each thread: to ask the system for fresh pages takes longer than a small product.
    thread_local Storage packed_a(kBlockRows * kPitch * sizeof(float)), packed_b(kPackedB * sizeof(float));
    for (int64_t block = begin / panels; block * panels < end; ++block) {
      const int64_t row = p.m * block / row_blocks, rows = p.m * (block + 1) / row_blocks - row;
      RunBlock(p, row, rows, std::max<int64_t>(begin - block * panels, 0), std::min(end - block * panels, panels),
               Floats(packed_a), Floats(packed_b));
    }
  });
}

/// kRows x kCols inner products of rows of A and rows of (transposed) B.
template <int kRows, int kCols>
void Dots(int64_t depth, const float* HWY_RESTRICT a, int64_t lda, const float* HWY_RESTRICT b, int64_t ldb,
          float* HWY_RESTRICT c, int64_t ldc, bool accumulate) {
  V sum[kRows][kCols];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int j = 0; j < kCols; ++j) sum[r][j] = hn::Zero(d);
  }
  int64_t l = 0;
  for (; l + kLanes <= depth; l += kLanes) {
    V x[kRows];
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) x[r] = hn::LoadU(d, a + r * lda + l);
    TWOFOUR_UNROLL for (int j = 0; j < kCols; ++j) {
      const V w = hn::LoadU(d, b + j * ldb + l);
      TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) sum[r][j] = hn::MulAdd(w, x[r], sum[r][j]);
    }
  }
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int j = 0; j < kCols; ++j) {
      float total = hn::GetLane(hn::SumOfLanes(d, sum[r][j]));
      for (int64_t rest = l; rest < depth; ++rest) total += a[r * lda + rest] * b[j * ldb + rest];
      float& at = c[r * ldc + j];
      at = accumulate ? at + total : total;
    }
  }
}

template <int kCols>
void DotsOfRows(int64_t rows, int64_t depth, const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
                int64_t ldc, bool accumulate) {
  int64_t r = 0;
  for (; r + kDotRows <= rows; r += kDotRows)
    Dots<kDotRows, kCols>(depth, a + r * lda, lda, b, ldb, c + r * ldc, ldc, accumulate);
  if (rows - r == 2) {
    Dots<2, kCols>(depth, a + r * lda, lda, b, ldb, c + r * ldc, ldc, accumulate);
    r += 2;
  }
  for (; r < rows; ++r) Dots<1, kCols>(depth, a + r * lda, lda, b, ldb, c + r * ldc, ldc, accumulate);
}

void RunDots(const GemmProblem<float>& p) {
  const int64_t tiles = CeilDiv(p.n, kDotCols);
  ParallelFor(tiles, CeilDiv(kLeastWork, p.m * kDotCols * p.k), [&](int64_t begin, int64_t end) {
    ForEachPart(p.k, kDotDepth, [&](int64_t first, int64_t last) {
      const bool accumulate = p.accumulate || first > 0;
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t col = tile * kDotCols, width = std::min<int64_t>(kDotCols, p.n - col);
        if (width == kDotCols) {
          DotsOfRows<kDotCols>(p.m, last - first, p.a + first, p.lda, p.b + col * p.ldb + first, p.ldb, p.c + col,
                               p.ldc, accumulate);
        } else {
          for (int64_t j = 0; j < width; ++j)
            DotsOfRows<1>(p.m, last - first, p.a + first, p.lda, p.b + (col + j) * p.ldb + first, p.ldb, p.c + col + j,
                          p.ldc, accumulate);
        }
      }
    });
  });
}

/// c[j] += sum over r of a[r * stride] b[r][j], for j in [first, last).
template <int kRows>
void AddRows(const float* a, int64_t stride, const float* HWY_RESTRICT b, int64_t ldb, int64_t first, int64_t last,
             float* HWY_RESTRICT c) {
  V w[kRows];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) w[r] = hn::Set(d, a[r * stride]);
  int64_t j = first;
  for (; j + kLanes <= last; j += kLanes) {
    V sum = hn::LoadU(d, c + j);
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) sum = hn::MulAdd(w[r], hn::LoadU(d, b + r * ldb + j), sum);
    hn::StoreU(sum, d, c + j);
  }
  for (; j < last; ++j) {
    for (int r = 0; r < kRows; ++r) c[j] += a[r * stride] * b[r * ldb + j];
  }
}

/// One row times a matrix that is not transposed. B is read once, so it is read as it lies: a few rows side by side.
void RunRow(const GemmProblem<float>& p) {
  constexpr int64_t kRowsOfB = 8, kUnit = 64;
  const int64_t stride = p.transpose_a == Transpose::kYes ? p.lda : 1;
  ParallelFor(CeilDiv(p.n, kUnit), CeilDiv(kLeastWork, kUnit * p.k), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kUnit, last = std::min(end * kUnit, p.n);
    if (!p.accumulate) std::fill(p.c + first, p.c + last, 0.0f);
    for (int64_t l = 0; l < p.k; l += kRowsOfB) {
      if (l + kRowsOfB <= p.k) {
        AddRows<kRowsOfB>(p.a + l * stride, stride, p.b + l * p.ldb, p.ldb, first, last, p.c);
        continue;
      }
      for (int64_t rest = l; rest < p.k; ++rest) {
        AddRows<1>(p.a + rest * stride, stride, p.b + rest * p.ldb, p.ldb, first, last, p.c);
      }
    }
  });
}

void Run(const GemmProblem<float>& p) {
  const bool b_turned = p.transpose_b == Transpose::kYes;
  if (p.m == 1 && !b_turned) {
    RunRow(p);
  } else if (p.m <= kMostDotRows && p.k >= kLeastDotDepth && p.transpose_a == Transpose::kNo && b_turned) {
    RunDots(p);
  } else {
    RunPacked(p);
  }
}

}  // namespace
}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::kernels::HWY_NAMESPACE {

FloatGemmKernel FloatGemm() { return {HWY_TARGET, Run}; }

}  // namespace twofour::kernels::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd_table.h"

namespace twofour::kernels {

std::span<const FloatGemmKernel> FloatGemmKernels() {
#define TWOFOUR_ROW(space, target) space::FloatGemm(),
  static const FloatGemmKernel kernels[] = {TWOFOUR_FOR_EACH_TARGET(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

const FloatGemmKernel* FastFloatGemm() {
#if HWY_TARGETS & (HWY_AVX3 | HWY_AVX2)
  for (const FloatGemmKernel& kernel : FloatGemmKernels()) {
    if ((kernel.target & (HWY_AVX3 | HWY_AVX2)) != 0 && IsAllowed(kernel.target)) return &kernel;
  }
#endif
  return nullptr;
}

}  // namespace twofour::kernels
#endif
