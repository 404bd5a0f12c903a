// Products of row-major bf16 with a Bf16PairBucketStream. Compiled twice: see bf16_vectors-inl.h.
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <type_traits>

#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_join_steps-inl.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_pair_bucket-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

void Multiply(const PackedWeight& packed, Direction, int64_t batch, const BFloat16* in, const Epilogue& epilogue,
              BFloat16* out) {
  const auto& m = PackedAs<Bf16PairBucketStream>(packed, kIsa);
  MultiplyRowMajor(m, WorkOf(m, batch), batch, in, epilogue, out,
                   [&](auto squares, int64_t first, int64_t last, const auto& source, float* sums, RowMajorSink& sink) {
                     RunPanel<decltype(squares)::value>(m, first, last, source, sums, sink);
                   });
}

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
          .multiply = MultiplyAs<BFloat16, Multiply>};
}

}  // namespace twofour::sparse::TWOFOUR_BF16
