// Dense products in double. They serve factorisations of Gram matrices (core/cholesky.h) and checks of gradients, so
// they are simpler than those in float: B and A are packed anew for each block. Compiled once for each instruction set.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/gemm/double_gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/gemm/double_gemm.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {
namespace {
#if HWY_HAVE_FLOAT64
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
constexpr D d;
constexpr int kLanes = hn::MaxLanes(D());
// A tile of C is kTileRows x 2 vectors: with two vectors of B and one element of A it fills the registers.
constexpr int kTileRows = HWY_TARGET == HWY_AVX3 ? 14 : 6;
constexpr int64_t kPanel = 2 * kLanes;
/// Depth of the packed blocks, and their rows and panels: a panel of B stays in the first-level cache, the block of A
/// in the second-level one.
constexpr int64_t kDepth = 256, kBlockRows = 84, kBlockPanels = 32;

/// C = A B, or C += A B, for kRows rows and two vectors of columns. A is packed as [kRows][kDepth], B as
/// [depth][kPanel].
template <int kRows>
TWOFOUR_UNROLL_WITH_SANITIZERS void Tile(int64_t depth, const double* HWY_RESTRICT a, const double* HWY_RESTRICT b,
                                         double* HWY_RESTRICT c, int64_t ldc, bool accumulate) {
  V sum[kRows][2];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = hn::Zero(d);
  for (int64_t l = 0; l < depth; ++l) {
    const V left = hn::Load(d, b + l * kPanel), right = hn::Load(d, b + l * kPanel + kLanes);
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
      const V w = hn::Set(d, a[r * kDepth + l]);
      sum[r][0] = hn::MulAdd(w, left, sum[r][0]);
      sum[r][1] = hn::MulAdd(w, right, sum[r][1]);
    }
  }
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    double* const at = c + r * ldc;
    for (int v = 0; v < 2; ++v) {
      const V before = accumulate ? hn::LoadU(d, at + v * kLanes) : hn::Zero(d);
      hn::StoreU(hn::Add(before, sum[r][v]), d, at + v * kLanes);
    }
  }
}

using TileFunction = void (*)(int64_t, const double*, const double*, double*, int64_t, bool);

template <int... kRows>
constexpr std::array<TileFunction, sizeof...(kRows)> TilesOf(std::integer_sequence<int, kRows...>) {
  return {Tile<kRows + 1>...};
}
constexpr std::array<TileFunction, kTileRows> kTiles = TilesOf(std::make_integer_sequence<int, kTileRows>());

/// Packs rows [row, row + rows) and depth [first, first + depth) of op(A) into [rows][kDepth].
void PackA(const GemmProblem<double>& p, int64_t row, int64_t rows, int64_t first, int64_t depth, double* to) {
  if (p.transpose_a == Transpose::kNo) {
    for (int64_t r = 0; r < rows; ++r) std::copy_n(p.a + (row + r) * p.lda + first, depth, to + r * kDepth);
    return;
  }
  for (int64_t l = 0; l < depth; ++l) {
    const double* const from = p.a + (first + l) * p.lda + row;
    for (int64_t r = 0; r < rows; ++r) to[r * kDepth + l] = from[r];
  }
}

/// Packs columns [col, col + width) of op(B) into [depth][kPanel]. Zeros follow the last column.
void PackPanel(const GemmProblem<double>& p, int64_t col, int64_t width, int64_t first, int64_t depth, double* to) {
  if (width < kPanel) std::fill_n(to, depth * kPanel, 0.0);
  if (p.transpose_b == Transpose::kNo) {
    for (int64_t l = 0; l < depth; ++l) std::copy_n(p.b + (first + l) * p.ldb + col, width, to + l * kPanel);
    return;
  }
  for (int64_t j = 0; j < width; ++j) {
    const double* const from = p.b + (col + j) * p.ldb + first;
    for (int64_t l = 0; l < depth; ++l) to[l * kPanel + j] = from[l];
  }
}

/// A tile whose columns may reach beyond the matrix. Such a tile is computed in an array of its own and copied to C.
void RunTile(int64_t rows, int64_t width, int64_t depth, const double* a, const double* b, double* c, int64_t ldc,
             bool accumulate) {
  const TileFunction tile = kTiles[static_cast<size_t>(rows - 1)];
  if (width == kPanel) return tile(depth, a, b, c, ldc, accumulate);
  HWY_ALIGN double beside[kTileRows * kPanel] = {};
  for (int64_t r = 0; r < rows && accumulate; ++r) std::copy_n(c + r * ldc, width, beside + r * kPanel);
  tile(depth, a, b, beside, kPanel, accumulate);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(beside + r * kPanel, width, c + r * ldc);
}

void Multiply(const GemmProblem<double>& p) {
  thread_local AlignedBuffer<double> space_a(kBlockRows * kDepth), space_b(kBlockPanels * kPanel * kDepth);
  double *const a = space_a.data(), *const b = space_b.data();
  for (int64_t first = 0; first < p.k; first += kDepth) {
    const int64_t depth = std::min(kDepth, p.k - first);
    const bool accumulate = p.accumulate || first > 0;
    for (int64_t left = 0; left < p.n; left += kBlockPanels * kPanel) {
      const int64_t panels = std::min(kBlockPanels, CeilDiv(p.n - left, kPanel));
      const auto width_of = [&](int64_t panel) { return std::min(kPanel, p.n - left - panel * kPanel); };
      for (int64_t panel = 0; panel < panels; ++panel) {
        PackPanel(p, left + panel * kPanel, width_of(panel), first, depth, b + panel * depth * kPanel);
      }
      for (int64_t top = 0; top < p.m; top += kBlockRows) {
        const int64_t rows = std::min(kBlockRows, p.m - top);
        PackA(p, top, rows, first, depth, a);
        for (int64_t panel = 0; panel < panels; ++panel) {
          for (int64_t row = 0; row < rows; row += kTileRows) {
            RunTile(std::min<int64_t>(kTileRows, rows - row), width_of(panel), depth, a + row * kDepth,
                    b + panel * depth * kPanel, p.c + (top + row) * p.ldc + left + panel * kPanel, p.ldc, accumulate);
          }
        }
      }
    }
  }
}
#else
void Multiply(const GemmProblem<double>& p) {
  const int64_t row = p.transpose_a == Transpose::kNo ? p.lda : 1, down_a = p.transpose_a == Transpose::kNo ? 1 : p.lda;
  const int64_t down_b = p.transpose_b == Transpose::kNo ? p.ldb : 1, col = p.transpose_b == Transpose::kNo ? 1 : p.ldb;
  for (int64_t r = 0; r < p.m; ++r) {
    for (int64_t c = 0; c < p.n; ++c) {
      double sum = 0;
      for (int64_t l = 0; l < p.k; ++l) sum += p.a[r * row + l * down_a] * p.b[l * down_b + c * col];
      p.c[r * p.ldc + c] = p.accumulate ? p.c[r * p.ldc + c] + sum : sum;
    }
  }
}
#endif

}  // namespace
}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::kernels::HWY_NAMESPACE {

DoubleGemmKernel DoubleGemm() { return {IsaOf(HWY_TARGET), Multiply}; }

}  // namespace twofour::kernels::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::kernels {

std::span<const DoubleGemmKernel> DoubleGemmKernels() {
#define TWOFOUR_ROW(space, isa) space::DoubleGemm(),
  static const DoubleGemmKernel kernels[] = {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

const DoubleGemmKernel* FastDoubleGemm() {
#if HWY_TARGETS & (HWY_AVX3 | HWY_AVX2)
  for (const DoubleGemmKernel& kernel : DoubleGemmKernels()) {
    if ((kernel.isa == Isa::kAvx512 || kernel.isa == Isa::kAvx2) && IsAllowed(kernel.isa)) return &kernel;
  }
#endif
  return nullptr;
}

}  // namespace twofour::kernels
#endif
