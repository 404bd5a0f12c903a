// Dense products of bf16 by pairs. A tile of C is summed up over the whole depth in registers and then stored, so
// nothing is added up in memory. Compiled twice: see bf16_vectors-inl.h.
#include <hwy/cache_control.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/gemm/bf16_gemm.h"
#include "twofour/core/kernels/gemm/bf16_gemm_pack-inl.h"
#include "twofour/core/kernels/gemm/row_blocks.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/core/parallel.h"

TWOFOUR_BF16_BEFORE
namespace twofour::kernels::TWOFOUR_BF16 {
namespace {

using namespace bf16_gemm;

/// Most rows of A that are packed together.
constexpr int64_t kBlockRows = 8 * kTileRows;
/// Pairs of depth that are summed up in registers, so that a packed block of A stays in the second-level cache.
constexpr int64_t kMostPairs = Bf16GemmKernel::kMostRoundedDepth / 2;
/// Panels of B that the tiles of a block pass by, one after the other, while the panels are in the second-level cache.
constexpr int64_t kHotPanels = 2;
/// Pairs of B that are packed once for all blocks of rows. They stay in the third-level cache.
constexpr int64_t kSharedPairs = 4 << 20;
/// Panels that one thread packs at a time. They are several cache lines of each row of B, because the rows may lie
/// pages apart.
constexpr int64_t kPanelsOfAGroup = 4;
/// Steps of depth by which panels of B are fetched ahead.
constexpr int64_t kAhead = 16;
/// A thread should have at least this many multiply-adds to do.
constexpr int64_t kLeastWork = 2 * 64 * 64 * 64;

/// Divides [0, count) into as few parts of at most `most` as possible, as equal as possible, and calls f(begin, end)
/// for each.
template <typename F>
HWY_INLINE void ForEachPart(int64_t count, int64_t most, F f) {
  const int64_t parts = CeilDiv(count, most);
  for (int64_t part = 0; part < parts; ++part) f(count * part / parts, count * (part + 1) / parts);
}

/// Where the results of a tile go: to floats, or rounded to bf16.
struct Target {
  float* floats;
  BFloat16* halves;  // Null if they go to floats.
  int64_t ld;
  const float* bias;  // For the tile's columns, or null.
  bool accumulate;    // Only to floats.

  Target At(int64_t row, int64_t col) const {
    return {floats == nullptr ? nullptr : floats + row * ld + col,
            halves == nullptr ? nullptr : halves + row * ld + col, ld, bias == nullptr ? nullptr : bias + col,
            accumulate};
  }
};

template <typename A, typename B>
Target TargetOf(const GemmProblem<A, B, float>& p) {
  return {p.c, nullptr, p.ldc, p.bias, p.accumulate};
}
template <typename A, typename B>
Target TargetOf(const GemmProblem<A, B, BFloat16>& p) {
  return {nullptr, p.c, p.ldc, p.bias, p.accumulate};
}

/// The first `rows` <= kRows rows of C = A B, for kVectors vectors of columns. Rounded results take two vectors.
template <int kRows, int kVectors>
void Tile(int64_t rows, int64_t pairs, const uint32_t* HWY_RESTRICT a, const uint32_t* HWY_RESTRICT b,
          const Target& c) {
  Floats sum[kRows][kVectors];
  TWOFOUR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[r][v] = ZeroFloats();
  }
  TWOFOUR_UNROLL_BY_4
  for (int64_t l = 0; l < pairs; ++l) {
    Pairs x[kVectors];
    TWOFOUR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      hwy::Prefetch(b + kAhead * kPanel + v * kLanes);
      x[v] = LoadPairs(b + v * kLanes);
    }
    TWOFOUR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const Pairs w = SetPairs(a[r]);
      TWOFOUR_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[r][v] = DotPairs(sum[r][v], w, x[v]);
    }
    a += kLanes;
    b += kPanel;
  }
  TWOFOUR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    if (r == rows) break;
    TWOFOUR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      if (c.bias != nullptr) sum[r][v] = Add(sum[r][v], LoadFloats(c.bias + v * kLanes));
      if (c.halves != nullptr) continue;
      float* const at = c.floats + r * c.ld + v * kLanes;
      StoreFloats(c.accumulate ? Add(LoadFloats(at), sum[r][v]) : sum[r][v], at);
    }
    if constexpr (kVectors == 2) {
      if (c.halves != nullptr) StorePairs(RoundToBf16(sum[r][0], sum[r][1]), c.halves + r * c.ld);
    }
  }
}

using TileFunction = void (*)(int64_t, int64_t, const uint32_t*, const uint32_t*, const Target&);

template <int kVectors, int... kHalfRows>
constexpr std::array<TileFunction, sizeof...(kHalfRows)> TilesOf(std::integer_sequence<int, kHalfRows...>) {
  return {Tile<2 * kHalfRows + 2, kVectors>...};
}

/// kTiles[vectors - 1][(rows - 1) / 2].
constexpr std::array<TileFunction, kTileRows / 2> kTiles[] = {
    TilesOf<1>(std::make_integer_sequence<int, kTileRows / 2>()),
    TilesOf<2>(std::make_integer_sequence<int, kTileRows / 2>())};

/// A tile that is `width` columns wide. If it reaches beyond the matrix, it is computed in an array of its own and
/// copied to C.
void RunTile(int64_t rows, int64_t width, int64_t pairs, const uint32_t* a, const uint32_t* b, const Target& c) {
  const TileFunction tile = kTiles[CeilDiv(width, kLanes) - 1][(rows - 1) / 2];
  if (width == kPanel && !(c.accumulate && c.halves != nullptr)) return tile(rows, pairs, a, b, c);
  float beside[kTileRows * kPanel];
  tile(rows, pairs, a, b, {beside, nullptr, kPanel, nullptr, false});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t col = 0; col < width; ++col) {
      float sum = beside[r * kPanel + col];
      if (c.bias != nullptr) sum += c.bias[col];
      if (c.halves == nullptr) {
        float& at = c.floats[r * c.ld + col];
        at = c.accumulate ? at + sum : sum;
      } else {
        BFloat16& at = c.halves[r * c.ld + col];
        if (c.accumulate) sum += static_cast<float>(at);
        at = BFloat16::FromBits(BitsOf(sum));
      }
    }
  }
}

/// Multiplies `rows` rows of packed A with `panels` panels of packed B.
void MultiplyPacked(int64_t rows, int64_t panels, int64_t cols, int64_t pairs, const uint32_t* a, const uint32_t* b,
                    const Target& c) {
  for (int64_t hot = 0; hot < panels; hot += kHotPanels) {
    for (int64_t row = 0; row < rows; row += kTileRows) {
      for (int64_t panel = hot; panel < std::min(hot + kHotPanels, panels); ++panel) {
        RunTile(std::min<int64_t>(kTileRows, rows - row), std::min(kPanel, cols - panel * kPanel), pairs,
                a + row / kTileRows * pairs * kLanes, b + panel * pairs * kPanel, c.At(row, panel * kPanel));
      }
    }
  }
}

constexpr int64_t kSpace = kBlockRows / kTileRows * kMostPairs * kLanes;

/// Pairs [kSpace], for a block of A. Each thread keeps this memory, because asking the system for fresh pages takes
/// longer than a small product.
uint32_t* Space() {
  thread_local AlignedBuffer<uint32_t> space(kSpace);
  return space.data();
}

/// Panels [first_panel, last_panel) of B are packed into `b` once for all blocks of rows.
template <typename A, typename B, typename C>
void RunPanels(const GemmProblem<A, B, C>& p, int64_t first_panel, int64_t last_panel, uint32_t* b) {
  const RowBlocks blocks(p.m, kTileRows, kBlockRows);
  const int64_t panels = last_panel - first_panel, depth_pairs = CeilDiv(p.k, 2);
  const int64_t grain = CeilDiv(kLeastWork, CeilDiv(p.m, blocks.count) * kPanel * p.k);
  ParallelFor(CeilDiv(panels, kPanelsOfAGroup), grain, [&](int64_t begin, int64_t end) {
    ForEachPart(depth_pairs, kMostPairs, [&](int64_t first, int64_t last) {
      for (int64_t group = begin; group < end; ++group) {
        const int64_t panel = group * kPanelsOfAGroup, col = (first_panel + panel) * kPanel;
        const int64_t behind = (first_panel + std::min(panel + kPanelsOfAGroup, panels)) * kPanel;
        PackB(p, col, std::min(behind, p.n) - col, 2 * first, std::min(2 * last, p.k) - 2 * first,
              b + (first * panels + panel * (last - first)) * kPanel);
      }
    });
  });
  // A unit of work is one panel for one block of rows.
  const Target target = TargetOf(p);
  ParallelFor(blocks.count * panels, grain, [&](int64_t begin, int64_t end) {
    uint32_t* const a = Space();
    for (int64_t block = begin / panels; block * panels < end; ++block) {
      const int64_t top = blocks.Begin(block), bottom = blocks.End(block);
      const int64_t from = std::max<int64_t>(begin - block * panels, 0), to = std::min(end - block * panels, panels);
      ForEachPart(depth_pairs, kMostPairs, [&](int64_t first, int64_t last) {
        PackA(p, top, bottom - top, 2 * first, std::min(2 * last, p.k) - 2 * first, a);
        const int64_t col = (first_panel + from) * kPanel;
        Target c = target.At(top, col);
        c.accumulate = c.accumulate || first > 0;
        if (first > 0) c.bias = nullptr;
        MultiplyPacked(bottom - top, to - from, p.n - col, last - first, a,
                       b + (first * panels + from * (last - first)) * kPanel, c);
      });
    }
  });
}

/// Multiplies on the calling thread, if both operands fit into its own memory and there is too little work for two
/// threads. Attention consists of such products, for which memory from the heap and calls for threads would take long.
template <typename A, typename B, typename C>
bool RanAlone(const GemmProblem<A, B, C>& p) {
  const int64_t panels = CeilDiv(p.n, kPanel), pairs = CeilDiv(p.k, 2);
  if (pairs > kMostPairs || p.m * p.n * p.k >= 2 * kLeastWork) return false;
  const int64_t size_of_a = CeilDiv(p.m, kTileRows) * pairs * kLanes;
  if (size_of_a + panels * pairs * kPanel > kSpace) return false;
  uint32_t *const a = Space(), *const b = a + size_of_a;
  PackB(p, 0, p.n, 0, p.k, b);
  PackA(p, 0, p.m, 0, p.k, a);
  MultiplyPacked(p.m, panels, p.n, pairs, a, b, TargetOf(p));
  return true;
}

template <typename A, typename B, typename C>
void Run(const GemmProblem<A, B, C>& p) {
  if (RanAlone(p)) return;
  const int64_t panels = CeilDiv(p.n, kPanel), depth_pairs = CeilDiv(p.k, 2);
  const int64_t most = std::min(std::max(kSharedPairs / (depth_pairs * kPanel), kPanelsOfAGroup), panels);
  AlignedBuffer<uint32_t> packed(most * kPanel * depth_pairs);
  ForEachPart(panels, most, [&](int64_t begin, int64_t end) { RunPanels(p, begin, end, packed.data()); });
}

}  // namespace
}  // namespace twofour::kernels::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::kernels::TWOFOUR_BF16 {

Bf16GemmKernel Bf16Gemm() {
  return {TWOFOUR_BF16_NATIVE ? Isa::kAvx512Bf16 : Isa::kAny,
          !TWOFOUR_BF16_NATIVE,
          {Run<BFloat16, BFloat16, float>, Run<BFloat16, BFloat16, BFloat16>, Run<BFloat16, float, float>,
           Run<BFloat16, float, BFloat16>, Run<float, BFloat16, float>, Run<float, BFloat16, BFloat16>}};
}

}  // namespace twofour::kernels::TWOFOUR_BF16
