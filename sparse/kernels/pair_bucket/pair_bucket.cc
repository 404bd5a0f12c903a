// Products of row-major matrices with a PairBucketStream.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/pair_bucket/pair_bucket.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/sparse/kernels/pair_bucket/masked_stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

template <typename T>
std::unique_ptr<PackedWeight> Pack(const float* weight, const MaskView& mask, Direction direction) {
  return std::make_unique<PairBucketStream>(weight, mask, direction, kTiling, IsaOf(HWY_TARGET), DTypeOf<T>());
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

/// With fewer batch rows than this, packing costs more than it saves, as measured in whole training steps of MLPs on
/// Zen 5. Packing takes about as long as 30 rows of the dense product on AVX2. AVX-512 multiplies twice as fast, but
/// packs no faster. Larger weights and their packed forms no longer stay in the second-level cache, and take longer for
/// each element.
int64_t FewestRows(const LinearProblem& problem) {
  constexpr int64_t kSmall = 256 * 1024, kMedium = 512 * 2048;
  constexpr bool kWide = HWY_TARGET == HWY_AVX3;
  const int64_t size = problem.out_features * problem.in_features;
  if (size <= kSmall) return kWide ? 96 : 40;
  if (size <= kMedium) return kWide ? 128 : 64;
  return kWide ? 176 : 72;
}

Verdict CheckProblem(const LinearProblem& problem) {
  const bool vnm = problem.format.kind == MaskFormat::Kind::kVnm;
  if (!vnm && !IsTwoOfFour(problem.format)) return {Rejection::kFormat};
  const Verdict tiled = CheckTiled(problem);
  if (!tiled.can()) return tiled;
  if (vnm) return {Rejection::kVnm};
  const int64_t fewest = FewestRows(problem);
  return problem.batch >= fewest ? Verdict{} : Verdict{Rejection::kTooFewRows, fewest};
}

}  // namespace

template <typename T>
LinearKernel PairBucketKernel() {
  constexpr Isa kIsa = IsaOf(HWY_TARGET);
  constexpr DType kActivation = DTypeOf<T>();
  const std::string family = kActivation == DType::kBF16 ? "pair_bucket_bf16" : "pair_bucket";
  return {.name = fmt::format("{}_{}", family, NameOf(kIsa)),
          .family = family,
          .isa = kIsa,
          .tiling = fmt::format("4 rows x {} vectors of {}, {} columns", kVectors, kLanes, kBlockCols),
          .layout = PairBucketStream::LayoutFor(kActivation),
          .one_packing = false,
          .activation = kActivation,
          .check = CheckProblem,
          .pack = Pack<T>,
          .multiply = MultiplyAs<T, MultiplyRowMajor<T>>};
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {

std::vector<LinearKernel> PairBucketKernels() {
#define TWOFOUR_ROW(space, isa) space::PairBucketKernel<float>(),
#define TWOFOUR_BF16_ROW(space, isa) space::PairBucketKernel<BFloat16>(),
  return {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW) TWOFOUR_FOR_EACH_ISA(TWOFOUR_BF16_ROW)};
#undef TWOFOUR_ROW
#undef TWOFOUR_BF16_ROW
}

}  // namespace twofour::sparse
#endif
