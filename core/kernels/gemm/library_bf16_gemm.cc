#include "twofour/core/kernels/gemm/library_bf16_gemm.h"

#include <hwy/detect_compiler_arch.h>

#include "twofour/core/kernels/gemm/bf16_block.h"

#if HWY_ARCH_X86_64
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"

// Processors for which the library has products of bf16 also round and pack them by instructions.
#define TWOFOUR_BF16_NATIVE 1
#include "twofour/core/kernels/gemm/library_bf16_pack-inl.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::kernels::TWOFOUR_BF16 {
namespace {

using namespace library_bf16;

// A block of C is large enough that calling the library costs little beside AMX's rate, and that packed panels of B and
// packed rows of A are used often while they are in the second-level cache.
constexpr int64_t kBlockCols = 4 * Bf16Block::kPanel;
constexpr int64_t kMostRows = 256, kLeastRows = 128;
/// If there are fewer blocks of kMostRows rows than this, blocks have kLeastRows rows, so that more threads find work.
constexpr int64_t kManyBlocks = 64;
/// Elements of B that are packed once for all blocks of rows. They stay in the third-level cache.
constexpr int64_t kSharedElements = 8 << 20;
/// A thread should have at least this many multiply-adds to do.
constexpr int64_t kLeastWork = 4 * 64 * 64 * 64;

/// How C is cut, which depends on its shape alone.
struct Cut {
  Cut(int64_t m, int64_t n) {
    const int64_t most = CeilDiv(m, kMostRows) * CeilDiv(n, kBlockCols) >= kManyBlocks ? kMostRows : kLeastRows;
    constexpr int64_t kRowsOfATile = 16;
    rows = std::min(RoundUp(CeilDiv(m, CeilDiv(m, most)), kRowsOfATile), m);
    row_blocks = CeilDiv(m, rows);
  }
  int64_t rows, row_blocks;
};

/// The library's products of blocks: of whole ones, and of those at the lower and the right edge.
class Blocks {
 public:
  Blocks(int64_t m, int64_t rows, int64_t cols, int64_t depth) {
    const auto find = [depth](int64_t height, int64_t width) {
      return Bf16Block::Find({height, RoundUp(width, Bf16Block::kPanel), depth});
    };
    const int64_t last_rows = (m - 1) % rows + 1, last_cols = (cols - 1) % kBlockCols + 1;
    blocks_ = {find(rows, std::min(cols, kBlockCols)), find(rows, last_cols),
               find(last_rows, std::min(cols, kBlockCols)), find(last_rows, last_cols)};
  }

  /// What one thread needs to multiply blocks.
  class Workers {
   public:
    explicit Workers(const Blocks& blocks) : blocks_(blocks) {}

    Bf16Block::Worker& For(bool last_row, bool last_col) {
      const size_t which = 2 * last_row + last_col;
      if (!workers_[which]) workers_[which] = blocks_.blocks_[which]->NewWorker();
      return *workers_[which];
    }

   private:
    const Blocks& blocks_;
    std::array<std::unique_ptr<Bf16Block::Worker>, 4> workers_;
  };

 private:
  std::array<std::shared_ptr<const Bf16Block>, 4> blocks_;
};

/// Columns [first_col, first_col + cols) of C. B is packed into `b` once for all blocks of rows.
template <typename A, typename B, typename C>
void RunColumns(const GemmProblem<A, B, C>& p, const Cut& cut, int64_t first_col, int64_t cols, uint32_t* b) {
  constexpr int64_t kPanel = Bf16Block::kPanel;
  const int64_t depth = PaddedDepth(p.k), panel_pairs = kPanel * depth / 2;
  ParallelFor(CeilDiv(cols, kPanel), CeilDiv(kLeastWork, p.m * kPanel * p.k), [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) PackPanel(p, first_col + panel * kPanel, b + panel * panel_pairs);
  });

  const Blocks blocks(p.m, cut.rows, cols, depth);
  const int64_t col_blocks = CeilDiv(cols, kBlockCols), count = cut.row_blocks * col_blocks;
  const int64_t grain = CeilDiv(kLeastWork * count, p.m * cols * p.k);
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    PackedRows<A> packed_rows(cut.rows, depth);
    AlignedBuffer<float> sums(cut.rows * std::min(RoundUp(cols, kPanel), kBlockCols));
    Blocks::Workers workers(blocks);
    for (int64_t block = begin; block < end; ++block) {
      const int64_t row = block / col_blocks * cut.rows, col = block % col_blocks * kBlockCols;
      const int64_t rows = std::min(cut.rows, p.m - row), width = std::min(kBlockCols, cols - col);
      const BFloat16* const a = packed_rows.Get(p, row, rows);
      workers.For(row + rows == p.m, col + width == cols).Multiply(a, b + col / kPanel * panel_pairs, sums.data());
      StoreBlock(p, row, rows, first_col + col, width, sums.data());
    }
  });
}

template <typename A, typename B, typename C>
void Run(const GemmProblem<A, B, C>& p) {
  const int64_t depth = PaddedDepth(p.k);
  const int64_t most = std::max(kSharedElements / depth / kBlockCols, int64_t{1}) * kBlockCols;
  AlignedBuffer<uint32_t> packed(std::min(most, RoundUp(p.n, Bf16Block::kPanel)) * depth / 2);
  const Cut cut(p.m, p.n);
  for (int64_t col = 0; col < p.n; col += most) RunColumns(p, cut, col, std::min(most, p.n - col), packed.data());
}

}  // namespace
}  // namespace twofour::kernels::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::kernels {

std::span<const Bf16GemmKernel> LibraryBf16GemmKernels() {
  using namespace bf16_native;
  static const Bf16GemmKernel kernel = {
      .isa = Isa::kAvx512Bf16,
      .emulated = false,
      .functions = {Run<BFloat16, BFloat16, float>, Run<BFloat16, BFloat16, BFloat16>, Run<BFloat16, float, float>,
                    Run<BFloat16, float, BFloat16>, Run<float, BFloat16, float>, Run<float, BFloat16, BFloat16>},
      .most_rounded_depth = std::numeric_limits<int64_t>::max(),
      .least_work = 64 * 64 * 64};
  return {&kernel, BuiltWithBf16Blocks() ? size_t{1} : size_t{0}};
}

}  // namespace twofour::kernels

#else

namespace twofour::kernels {

std::span<const Bf16GemmKernel> LibraryBf16GemmKernels() { return {}; }

}  // namespace twofour::kernels

#endif
