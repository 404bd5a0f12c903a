// Dense products in float. C is computed in tiles that fit into the registers. Each element of C is summed over k in an
// order that depends on k, and on whether there are more rows than kOneBlockRows, so C may be divided among threads
// anywhere. Operands of 16 bits become floats when they are packed or loaded, and are treated as floats from then on.
// Compiled once for each instruction set.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/kernels/gemm/float_gemm.h"
#include "twofour/core/kernels/gemm/row_blocks.h"
#include "twofour/core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/gemm/float_gemm.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/gemm/float_gemm_few_rows-inl.h"
#include "twofour/core/kernels/gemm/float_gemm_pack-inl.h"
#include "twofour/core/kernels/gemm/float_gemm_tile-inl.h"
#include "twofour/core/kernels/simd/simd_isa.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {
namespace {
using namespace float_gemm;

/// Products of at most so many rows are one block.
constexpr int64_t kOneBlockRows = 256;
/// Most rows of a block where there are several. The packed block stays in the second-level cache.
constexpr int64_t kBlockRows = (HWY_TARGET == HWY_AVX3 ? 112 : 252) / kTileRows * kTileRows;
/// Floats of packed B that stay in the second-level cache beside the block of A, while tiles of rows of A pass through
/// the first-level cache. They are several panels, so that rows of C are written as long runs.
constexpr int64_t kHotB = 8 * kDepth * kPanel;
/// Floats of B that are packed once for all blocks of rows. They stay in the third-level cache.
constexpr int64_t kSharedB = 4 << 20;
/// Panels that one thread packs at a time. They are several cache lines of each row of B, because the rows may lie
/// pages apart.
constexpr int64_t kPanelsOfAGroup = 4;
/// A transposed B is costly to pack. Up to this many rows, and from this depth on, inner products of whole rows are
/// faster than tiles.
constexpr int64_t kMostDotRows = 24, kLeastDotDepth = 64;

/// The C of a problem, whatever the types of its operands.
struct Output {
  template <typename A, typename B>
  explicit Output(const GemmProblem<A, B, float>& p) : data(p.c), ld(p.ldc), cols(p.n) {}
  float* data;
  int64_t ld, cols;
};

/// Multiplies rows [top, bottom) of packed A with panels [begin, end) of packed B into C, or adds the product to C. `b`
/// points at panel `begin`.
void MultiplyPacked(const Output& c, int64_t top, int64_t bottom, int64_t depth, int64_t begin, int64_t end,
                    const float* a, const float* b, bool accumulate) {
  const int64_t hot = kHotB / (depth * kPanel);
  for (int64_t hot_begin = begin; hot_begin < end; hot_begin += hot) {
    const int64_t hot_end = std::min(hot_begin + hot, end);
    ForEachPart(bottom - top, kTileRows, [&](int64_t row, int64_t behind) {
      for (int64_t panel = hot_begin; panel < hot_end; ++panel) {
        RunTile(behind - row, std::min(kPanel, c.cols - panel * kPanel), depth, a + row * kPitch,
                b + (panel - begin) * depth * kPanel, kPanel, c.data + (top + row) * c.ld + panel * kPanel, c.ld,
                accumulate, 16 * kPanel);
      }
    });
  }
}

/// Each thread keeps this memory, because asking the system for fresh pages takes longer than a small product.
float* SpaceForA() {
  thread_local AlignedBuffer<float> space(kOneBlockRows * kPitch);
  return space.data();
}

float* SpaceForHotB() {
  thread_local AlignedBuffer<float> space(kHotB);
  return space.data();
}

/// One block of rows: each thread packs the panels of B that it multiplies.
template <typename A, typename B>
void RunOneBlock(const GemmProblem<A, B, float>& p, int64_t first_panel, int64_t last_panel) {
  float *const a = SpaceForA(), *const b = SpaceForHotB();
  const Output c(p);
  [[maybe_unused]] const std::array<TileFunction, kTileRows>& first_tiles = p.m > kTileRows ? kPackingTiles : kTiles[1];
  ForEachPart(p.k, kDepth, [&](int64_t first, int64_t last) {
    const int64_t depth = last - first, hot = kHotB / (depth * kPanel);
    const bool accumulate = p.accumulate || first > 0;
    PackA(p, 0, p.m, first, depth, a);
    for (int64_t begin = first_panel; begin < last_panel; begin += hot) {
      const int64_t end = std::min(begin + hot, last_panel);
      int64_t packed = begin;
      if constexpr (std::is_same_v<B, float>) {
        // If rows of B are rows of panels, the first tile of rows packs whole panels while it multiplies.
        packed = p.transpose_b == Transpose::kNo ? std::min(end, p.n / kPanel) : begin;
        if (packed > begin) {
          const int64_t rows = p.m / CeilDiv(p.m, kTileRows);
          for (int64_t panel = begin; panel < packed; ++panel) {
            first_tiles[rows - 1](depth, a, p.b + first * p.ldb + panel * kPanel, p.ldb, p.c + panel * kPanel, p.ldc,
                                  accumulate, kPanel, b + (panel - begin) * depth * kPanel);
          }
          MultiplyPacked(c, rows, p.m, depth, begin, packed, a + rows * kPitch, b, accumulate);
        }
      }
      if (packed < end) {
        PackB(p, packed * kPanel, std::min(end * kPanel, p.n) - packed * kPanel, first, depth, b);
        MultiplyPacked(c, 0, p.m, depth, packed, end, a, b, accumulate);
      }
    }
  });
}

/// Several blocks of rows: panels [first_panel, last_panel) of B are packed into `b` once for all of them. They are
/// packed for all of k at once, so that threads wait for each other only twice.
template <typename A, typename B>
void RunBlocks(const GemmProblem<A, B, float>& p, int64_t first_panel, int64_t last_panel, float* b) {
  const RowBlocks blocks(p.m, kTileRows, kBlockRows);
  const int64_t panels = last_panel - first_panel;
  const int64_t grain = CeilDiv(kLeastWork, CeilDiv(p.m, blocks.count) * kPanel * p.k);
  ParallelFor(CeilDiv(panels, kPanelsOfAGroup), grain, [&](int64_t begin, int64_t end) {
    ForEachPart(p.k, kLongDepth, [&](int64_t first, int64_t last) {
      for (int64_t group = begin; group < end; ++group) {
        const int64_t panel = group * kPanelsOfAGroup, col = (first_panel + panel) * kPanel;
        const int64_t behind = (first_panel + std::min(panel + kPanelsOfAGroup, panels)) * kPanel;
        PackB(p, col, std::min(behind, p.n) - col, first, last - first,
              b + (first * panels + panel * (last - first)) * kPanel);
      }
    });
  });
  // A unit of work is one panel for one block of rows.
  ParallelFor(blocks.count * panels, grain, [&](int64_t begin, int64_t end) {
    float* const a = SpaceForA();
    for (int64_t block = begin / panels; block * panels < end; ++block) {
      const int64_t top = blocks.Begin(block), bottom = blocks.End(block);
      const int64_t from = std::max<int64_t>(begin - block * panels, 0), to = std::min(end - block * panels, panels);
      ForEachPart(p.k, kLongDepth, [&](int64_t first, int64_t last) {
        PackA(p, top, bottom - top, first, last - first, a);
        MultiplyPacked(Output(p), top, bottom, last - first, first_panel + from, first_panel + to, a,
                       b + (first * panels + from * (last - first)) * kPanel, p.accumulate || first > 0);
      });
    }
  });
}

template <typename A, typename B>
void RunPacked(const GemmProblem<A, B, float>& p) {
  const int64_t panels = CeilDiv(p.n, kPanel);
  if (p.m <= kOneBlockRows) {
    ParallelFor(panels, CeilDiv(kLeastWork, p.m * kPanel * p.k),
                [&](int64_t begin, int64_t end) { RunOneBlock(p, begin, end); });
    return;
  }
  const int64_t most = std::min(std::max(kSharedB / (p.k * kPanel), kPanelsOfAGroup), panels);
  AlignedBuffer<float> packed(most * kPanel * p.k);
  ForEachPart(panels, most, [&](int64_t begin, int64_t end) { RunBlocks(p, begin, end, packed.data()); });
}

/// Calls run(problem) with A converted to floats. A has few rows.
template <typename A, typename B, typename Run>
void WithFloatA(const GemmProblem<A, B, float>& p, Run run) {
  if constexpr (std::is_same_v<A, float>) {
    run(p);
  } else {
    AlignedBuffer<float> floats(p.m * p.k);
    const bool turned = p.transpose_a == Transpose::kYes;
    const int64_t row_step = turned ? 1 : p.lda, step = turned ? p.lda : 1;
    for (int64_t r = 0; r < p.m; ++r) {
      for (int64_t l = 0; l < p.k; ++l) floats.data()[r * p.k + l] = static_cast<float>(p.a[r * row_step + l * step]);
    }
    run(GemmProblem<float, B, float>{.m = p.m,
                                     .n = p.n,
                                     .k = p.k,
                                     .a = floats.data(),
                                     .lda = p.k,
                                     .b = p.b,
                                     .ldb = p.ldb,
                                     .transpose_b = p.transpose_b,
                                     .c = p.c,
                                     .ldc = p.ldc,
                                     .accumulate = p.accumulate});
  }
}

template <typename A, typename B>
void Run(const GemmProblem<A, B, float>& p) {
  const bool b_turned = p.transpose_b == Transpose::kYes;
  if (p.m == 1 && !b_turned) {
    WithFloatA(p, RunRow<B>);
  } else if (p.m <= kMostDotRows && p.k >= kLeastDotDepth && p.transpose_a == Transpose::kNo && b_turned) {
    WithFloatA(p, RunDots<B>);
  } else {
    RunPacked(p);
  }
}

}  // namespace
}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::kernels::HWY_NAMESPACE {

FloatGemmKernel FloatGemm() {
  return {IsaOf(HWY_TARGET),
          {Run<float, float>, Run<FloatAsBf16, BFloat16>, Run<float, Float16>, Run<BFloat16, FloatAsBf16>,
           Run<BFloat16, BFloat16>, Run<BFloat16, Float16>, Run<Float16, float>, Run<Float16, BFloat16>,
           Run<Float16, Float16>}};
}

}  // namespace twofour::kernels::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::kernels {

std::span<const FloatGemmKernel> FloatGemmKernels() {
#define TWOFOUR_ROW(space, isa) space::FloatGemm(),
  static const FloatGemmKernel kernels[] = {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

const FloatGemmKernel* FastFloatGemm() {
#if HWY_TARGETS & (HWY_AVX3 | HWY_AVX2)
  for (const FloatGemmKernel& kernel : FloatGemmKernels()) {
    if ((kernel.isa == Isa::kAvx512 || kernel.isa == Isa::kAvx2) && IsAllowed(kernel.isa)) return &kernel;
  }
#endif
  return nullptr;
}

}  // namespace twofour::kernels
#endif
