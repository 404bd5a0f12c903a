// Products of row-major bf16 with V:N:M weights: Bf16PairBucketStreams whose columns need not be neighbours (VnmTiles).
// Compiled twice: see bf16_vectors-inl.h.
#include <fmt/format.h>

#include <cstdint>
#include <memory>

#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_join_steps-inl.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_masked_stream-inl.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_stream.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

/// A block of a panel is larger than the first-level cache may be, but a strip of W reads a part of its columns only,
/// and one of W transposed those of V rows.
inline constexpr int64_t kVnmBlockCols = 384;
static_assert(kVnmBlockCols <= Bf16PairBucketStream::kMostBlockCols);

std::unique_ptr<PackedWeight> PackVnm(const float* weight, const MaskView& mask, Direction direction) {
  const int64_t block_cols = VnmTiles::BlockCols(mask, direction, kVnmBlockCols);
  const VnmTiles tiles(weight, mask, direction, block_cols, kPanel * sizeof(BFloat16));
  const bool forward = direction == Direction::kForward;
  return std::make_unique<VnmStream<Bf16PairBucketStream>>(
      tiles.columns(), direction,
      std::make_unique<Bf16PairBucketStream>(tiles, forward ? mask.rows : mask.cols, forward ? mask.cols : mask.rows,
                                             block_cols, kIsa, PackedLayout::kBf16Vnm, Join));
}

}  // namespace
}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

Verdict CheckVnmProblem(const LinearProblem& problem) {
  const Verdict verdict = CheckMadeForVnm(problem);
  if (!verdict.is_best()) return verdict;
  if (!TWOFOUR_BF16_NATIVE) return {Rejection::kEmulated};
  constexpr int64_t kFewest = 128;  // As measured with 64:2:8 on Zen 4. With more columns to a group, it is fewer.
  return problem.batch >= kFewest ? Verdict{} : Verdict{Rejection::kTooFewRows, kFewest};
}

}  // namespace

LinearKernel Bf16VnmKernel() {
  const char* const name = TWOFOUR_BF16_NATIVE ? "vnm_avx512bf16" : "vnm_emulated_bf16";
  return {.name = name,
          .family = name,
          .isa = kIsa,
          .tiling = fmt::format("4 rows x {} vectors of {} in pairs, up to {} columns", kPanel / kLanes, kLanes,
                                kVnmBlockCols),
          .layout = PackedLayout::kBf16Vnm,
          .one_packing = false,
          .activation = DType::kBF16,
          .emulated = !TWOFOUR_BF16_NATIVE,
          .check = CheckVnmProblem,
          .pack = PackVnm,
          .multiply = MultiplyAs<BFloat16, MultiplyRowMajor>};
}

}  // namespace twofour::sparse::TWOFOUR_BF16
