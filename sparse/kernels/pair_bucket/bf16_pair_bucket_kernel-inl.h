// Products of row-major bf16 with a Bf16PairBucketStream. Compiled twice: see bf16_vectors-inl.h.
#include <fmt/format.h>

#include <cstdint>
#include <memory>

#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_join_steps-inl.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_masked_stream-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

std::unique_ptr<PackedWeight> Pack(const float* weight, const MaskView& mask, Direction direction) {
  return std::make_unique<Bf16PairBucketStream>(weight, mask, direction, kIsa, Join);
}

}  // namespace
}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

Verdict CheckProblem(const LinearProblem& problem) {
  const bool vnm = problem.format.kind == MaskFormat::Kind::kVnm;
  if (!vnm && !IsTwoOfFour(problem.format)) return {Rejection::kFormat};
  const Verdict tiled = CheckTiled(problem);
  if (!tiled.can()) return tiled;
  if (vnm) return {Rejection::kVnm};
  if (!TWOFOUR_BF16_NATIVE) return {Rejection::kEmulated};
  constexpr int64_t kFewest = 176;
  return problem.batch >= kFewest ? Verdict{} : Verdict{Rejection::kTooFewRows, kFewest};
}

}  // namespace

LinearKernel Bf16PairBucketKernel() {
  const char* const name = TWOFOUR_BF16_NATIVE ? "pair_bucket_avx512bf16" : "pair_bucket_emulated_bf16";
  return {.name = name,
          .family = name,
          .isa = kIsa,
          .tiling = fmt::format("4 rows x {} vectors of {} in pairs, {} columns", kPanel / kLanes, kLanes, kBlockCols),
          .layout = PackedLayout::kBf16PairBucket,
          .one_packing = false,
          .activation = DType::kBF16,
          .emulated = !TWOFOUR_BF16_NATIVE,
          .check = CheckProblem,
          .pack = Pack,
          .multiply = MultiplyAs<BFloat16, MultiplyRowMajor>};
}

}  // namespace twofour::sparse::TWOFOUR_BF16
