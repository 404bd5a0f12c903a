// Products of row-major matrices with V:N:M weights: pair buckets whose columns need not be neighbours (VnmTiles).
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <type_traits>

#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_stream.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/pair_bucket/vnm.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/sparse/kernels/pair_bucket/masked_stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

template <typename T>
std::unique_ptr<PackedWeight> PackVnm(const float* weight, const MaskView& mask, Direction direction) {
  const int64_t block_cols = VnmTiles::BlockCols(mask, direction, kBlockCols);
  const VnmTiles tiles(weight, mask, direction, block_cols, kPanel * sizeof(float));
  const bool forward = direction == Direction::kForward;
  return std::make_unique<VnmStream<PairBucketStream>>(
      tiles.columns(), direction,
      std::make_unique<PairBucketStream>(tiles, forward ? mask.rows : mask.cols, forward ? mask.cols : mask.rows,
                                         PairBucketTiling{kPanel, block_cols}, IsaOf(HWY_TARGET), kVnmLayoutFor<T>,
                                         DTypeOf<T>()));
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

Verdict CheckVnm(const LinearProblem& problem) {
  const Verdict verdict = CheckMadeForVnm(problem);
  if (!verdict.is_best()) return verdict;
  constexpr int64_t kFewest = 64;
  return problem.batch >= kFewest ? Verdict{} : Verdict{Rejection::kTooFewRows, kFewest};
}

}  // namespace

template <typename T>
LinearKernel VnmKernel() {
  constexpr Isa kIsa = IsaOf(HWY_TARGET);
  constexpr DType kActivation = DTypeOf<T>();
  const std::string family = kActivation == DType::kBF16 ? "vnm_bf16" : "vnm";
  return {.name = fmt::format("{}_{}", family, NameOf(kIsa)),
          .family = family,
          .isa = kIsa,
          .tiling = fmt::format("4 rows x {} vectors of {}, up to {} columns", kVectors, kLanes, kBlockCols),
          .layout = kVnmLayoutFor<T>,
          .one_packing = false,
          .activation = kActivation,
          .check = CheckVnm,
          .pack = PackVnm<T>,
          .multiply = MultiplyAs<T, MultiplyRowMajor<T>>};
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {

std::vector<LinearKernel> VnmKernels() {
#define TWOFOUR_ROW(space, isa) space::VnmKernel<float>(),
#define TWOFOUR_BF16_ROW(space, isa) space::VnmKernel<BFloat16>(),
  return {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW) TWOFOUR_FOR_EACH_ISA(TWOFOUR_BF16_ROW)};
#undef TWOFOUR_ROW
#undef TWOFOUR_BF16_ROW
}

}  // namespace twofour::sparse
#endif
