// Products of row-major bf16 with V:N:M weights by tiles. Compiled twice: see bf16_vectors-inl.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/amx/vnm_tile_pack-inl.h"
#include "twofour/sparse/kernels/amx/vnm_tile_product-inl.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_pair_bucket-inl.h"
#include "twofour/sparse/kernels/pair_bucket/panel_work.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

inline constexpr Isa kTilesIsa = TWOFOUR_BF16_NATIVE ? Isa::kAmxBf16 : Isa::kAny;

std::unique_ptr<PackedWeight> PackVnmTiles(const float* weight, const MaskView& mask, Direction direction) {
  return PackTiles(weight, mask, direction, kTilesIsa);
}

void MultiplyVnmTiles(const PackedWeight& packed, Direction, int64_t batch, const BFloat16* in,
                      const Epilogue& epilogue, BFloat16* out) {
  const auto& w = PackedAs<VnmTileWeight>(packed, kTilesIsa);
  const bool forward = w.direction() == Direction::kForward;
  // Ranges of rows consist of whole blocks, or of whole ranges of groups.
  const int64_t together = forward ? w.columns().v() : w.columns().m() * VnmTileWeight::kGroups;
  const PanelWork work(w.rows() / 4, w.cols(), batch, kPanel, std::lcm(together, kSquare) / 4);
  const bool stream = ShouldStream(out, batch, w.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    TileScratch scratch(w, forward ? ForwardSums(w, CeilDiv(work.strips * 4, together)) : work.strips * 4);
    Tiles tiles;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / work.ranges * kPanel, rows = std::min(kPanel, batch - row);
      const int64_t first = item % work.ranges * work.strips;
      const int64_t last = std::min(first + work.strips, w.rows() / 4);
      RowMajorSink sink(epilogue, rows, first, last, out + row * w.rows(), w.rows(), stream);
      const int64_t squares = CeilDiv(rows, kSquare);
      const auto source = [&](int64_t col, int64_t cols) {
        for (int64_t h = 0; h < squares; ++h) {
          const int64_t top = h * kSquare;
          PackPanel(in + (row + top) * w.cols() + col, w.cols(), std::min(rows - top, kSquare), cols, scratch.panel(h),
                    kSquare);
        }
      };
      if (forward) {
        RunForwardTiles(w, tiles, first * 4 / together, CeilDiv(last * 4, together), squares, source, scratch, sink);
      } else {
        RunInputGradTiles(w, tiles, first * 4, last * 4, squares, source, scratch, sink);
      }
    }
    if (stream) FlushStream();
  });
}

}  // namespace
}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

Verdict CheckVnmTiles(const LinearProblem& problem) {
  if (!problem.format.is_vnm() && !IsTwoOfFour(problem.format)) return {Rejection::kFormat};
  const Verdict tiled = CheckTiled(problem);
  if (!tiled.can()) return tiled;
  if (!problem.format.is_vnm()) return {Rejection::kNoVnm};
  if (!TWOFOUR_BF16_NATIVE) return {Rejection::kEmulated};
  constexpr int kFewest = 64;  // So that the tiles of activations, made anew for each block, are used often enough.
  if (problem.format.v < kFewest || problem.format.v % kTileRows != 0) return {Rejection::kSmallBlocks, kFewest};
  return {Rejection::kUnmeasured};
}

}  // namespace

LinearKernel VnmAmxKernel() {
  const char* const name = TWOFOUR_BF16_NATIVE ? "vnm_amx" : "vnm_emulated_amx";
  return {.name = name,
          .family = name,
          .isa = kTilesIsa,
          .tiling = fmt::format("2 tiles of {} rows x 2 of {} batch rows, up to {} kept columns", kTileRows, kLanes,
                                VnmTileWeight::kSliceTiles * VnmTileWeight::kDepth),
          .layout = VnmTileWeight::kLayout,
          .one_packing = false,
          .activation = DType::kBF16,
          .emulated = !TWOFOUR_BF16_NATIVE,
          .check = CheckVnmTiles,
          .pack = PackVnmTiles,
          .multiply = MultiplyAs<BFloat16, MultiplyVnmTiles>};
}

}  // namespace twofour::sparse::TWOFOUR_BF16
