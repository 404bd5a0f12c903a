// Products with a PairBucketStream, row-major matrices in and out.
#include "twofour/core/kernels/simd_targets.h"
//
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "twofour/core/parallel.h"
#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/sparse/kernels/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket_stream.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/pair_bucket.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/simd_isa.h"
#include "twofour/sparse/kernels/pair_bucket-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

void Multiply(const PackedWeight& packed, Direction, int64_t batch, const float* in, const Epilogue& epilogue,
              float* out) {
  const auto& m = static_cast<const PairBucketStream&>(packed);
  const PanelWork work(m, batch);
  const bool stream = ShouldStream(out, batch, m.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    Storage block(kBlockCols * kPanel * sizeof(float)), sums(work.strips * 4 * kPanel * sizeof(float));
    float* const x = reinterpret_cast<float*>(block.data());
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / work.ranges * kPanel, rows = std::min(kPanel, batch - row);
      const int64_t first = std::min(item % work.ranges * work.strips, m.strips());
      const int64_t last = std::min(first + work.strips, m.strips());
      RowMajorSink sink(epilogue, rows, first, last, out + row * m.rows(), m.rows(), stream);
      const auto source = [&](int64_t col, int64_t cols) {
        PackPanel(in + row * m.cols() + col, m.cols(), rows, cols, x);
        return x;
      };
      WithVectors(rows, [&](auto vectors) {
        RunPanel<decltype(vectors)::value>(m, first, last, source, reinterpret_cast<float*>(sums.data()), sink);
      });
    }
    if (stream) hwy::FlushStream();
  });
}

std::unique_ptr<PackedWeight> Pack(const float* weight, const Mask& mask, Direction direction) {
  return std::make_unique<PairBucketStream>(weight, mask, direction, kTiling, IsaOf(HWY_TARGET));
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

std::string WhyNot(const LinearShape& shape) {
  const std::string here = WhyNotHere(IsaOf(HWY_TARGET));
  if (!here.empty()) return here;
  if (!shape.two_of_four) return "the mask keeps more than two of four in a row or column";
  return WhyNotTiled(shape);
}

/// Below so many batch rows packing costs more than it saves, as measured in whole training steps of MLPs on Zen 5:
/// about as long as 30 rows of the dense product on AVX2, and AVX-512 multiplies twice as fast but packs as fast.
/// Larger weights and what is packed of them no longer stay in the second-level cache, and take longer for each
/// element.
int64_t FewestRows(const LinearShape& shape) {
  constexpr int64_t kSmall = 256 * 1024, kMedium = 512 * 2048;
  constexpr bool kWide = HWY_TARGET == HWY_AVX3;
  const int64_t size = shape.out_features * shape.in_features;
  if (size <= kSmall) return kWide ? 96 : 40;
  if (size <= kMedium) return kWide ? 128 : 64;
  return kWide ? 176 : 72;
}

std::string WhySlower(const LinearShape& shape) {
  const int64_t fewest = FewestRows(shape);
  if (shape.batch >= fewest) return {};
  return fmt::format("pays from {} batch rows on with a weight of this size, here {}", fewest, shape.batch);
}

LinearKernel Kernel(std::string_view name, std::string_view tiling) {
  return {.name = name,
          .family = "pair_bucket",
          .isa = IsaOf(HWY_TARGET),
          .tiling = tiling,
          .one_packing = false,
          .refers_to_weight = false,
          .why_not = WhyNot,
          .why_slower = WhySlower,
          .pack = Pack,
          .multiply = Multiply};
}

}  // namespace

LinearKernel PairBucketKernel() {
#if HWY_TARGET == HWY_AVX3
  return Kernel("pair_bucket_avx512", "4 rows x 4 vectors of 16, 128 columns");
#elif HWY_TARGET == HWY_AVX2
  return Kernel("pair_bucket_avx2", "4 rows x 3 vectors of 8, 256 columns");
#elif HWY_TARGET == HWY_SSE4
  return Kernel("pair_bucket_sse4", "4 rows x 3 vectors of 4, 256 columns");
#elif HWY_TARGET == HWY_NEON
  return Kernel("pair_bucket_neon", "4 rows x 6 vectors of 4, 256 columns");
#else
  return Kernel("pair_bucket_portable", "4 rows x 3 vectors of 4, 256 columns");
#endif
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd_table.h"

namespace twofour::sparse {

std::span<const LinearKernel> PairBucketKernels() {
#define TWOFOUR_ROW(space, isa) space::PairBucketKernel(),
  static const LinearKernel kernels[] = {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

}  // namespace twofour::sparse
#endif
