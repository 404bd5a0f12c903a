// Products with a PairBucketStream, row-major matrices in and out.
#include "twofour/core/kernels/simd_targets.h"
//
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
#include "twofour/sparse/kernels/pair_bucket-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

/// max(v, 0), a NaN stays a NaN.
HWY_INLINE V Positive(V v) { return hn::IfThenZeroElse(hn::Lt(v, hn::Zero(d)), v); }

/// A product's sizes and arrays.
struct Job {
  const PairBucketStream& matrix;
  int64_t batch;
  const float* in;
  const Epilogue& epilogue;
  float* out;
  bool stream;
};

/// Rows [first, last) of the output for one panel of batch rows.
template <int T>
void RunPanel(const Job& job, int64_t first_row, int64_t rows, int64_t first_strip, int64_t last_strip, float* x,
              float* y) {
  const PairBucketStream& m = job.matrix;
  for (int64_t block = 0; block < m.blocks(); ++block) {
    const int64_t col = block * kBlockCols;
    PackPanel(job.in + first_row * m.cols() + col, m.cols(), rows, std::min(kBlockCols, m.cols() - col), x);
    const PairBucketStream::Buckets* buckets = m.buckets(block);
    const bool last = block + 1 == m.blocks();
    if (!last) {
      for (int64_t strip = first_strip; strip < last_strip; ++strip) {
        RunStrip<T>(m.steps(), buckets[strip], buckets[strip + 1].begin, x, block > 0,
                    y + (strip - first_strip) * 4 * kPanel, [](int, V v) { return v; });
      }
      continue;
    }
    for (int64_t strip = first_strip; strip < last_strip; ++strip) {
      float* const y_strip = y + (strip - first_strip) * 4 * kPanel;
      const float* const bias = job.epilogue.bias == nullptr ? nullptr : job.epilogue.bias + strip * 4;
      const bool relu_squared = job.epilogue.relu_squared;
      RunStrip<T>(m.steps(), buckets[strip], buckets[strip + 1].begin, x, block > 0, y_strip, [=](int r, V v) {
        if (bias != nullptr) v = hn::Add(v, hn::Set(d, bias[r]));
        if (!relu_squared) return v;
        const V positive = Positive(v);
        return hn::Mul(positive, positive);
      });
      const int64_t done = (strip - first_strip) * 4 + 4;
      if (done % kGroup == 0 || strip + 1 == last_strip) {
        const int64_t begin = (done - 1) / kGroup * kGroup;
        UnpackGroup(y + begin * kPanel, done - begin, rows, job.out + first_row * m.rows() + first_strip * 4 + begin,
                    m.rows(), job.stream);
      }
    }
  }
}

void Multiply(const PackedWeight& packed, Direction, int64_t batch, const float* in, const Epilogue& epilogue,
              float* out) {
  const auto& m = static_cast<const PairBucketStream&>(packed);
  // Rows of the output that a panel computes at a time; their sums must stay in the second-level cache.
  constexpr int64_t kStripsAtOnce = 1024;
  constexpr int64_t kFewestStrips = 32;
  if (batch == 0) return;
  const int64_t panels = (batch + kPanel - 1) / kPanel;
  int64_t chunks = (m.strips() + kStripsAtOnce - 1) / kStripsAtOnce;
  // Few panels: cut the strips instead, so that there is work for several threads.
  if (panels * chunks < 16) chunks = std::max(chunks, std::min(16 / panels, m.strips() / kFewestStrips));
  const int64_t strips = (m.strips() + chunks - 1) / chunks;
  const int64_t groups_aligned = (strips + 3) / 4 * 4;
  const bool stream = m.rows() % kGroup == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0 &&
                      batch * m.rows() * static_cast<int64_t>(sizeof(float)) > (int64_t{4} << 20);
  const Job job{m, batch, in, epilogue, out, stream};
  const int64_t work = m.rows() * m.cols() / chunks * kPanel;
  ParallelFor(panels * chunks, 1 + (int64_t{1} << 20) / (work + 1), [&](int64_t begin, int64_t end) {
    const Storage x(kBlockCols * kPanel * sizeof(float)), y(groups_aligned * 4 * kPanel * sizeof(float));
    float* const xp = reinterpret_cast<float*>(const_cast<std::byte*>(x.data()));
    float* const yp = reinterpret_cast<float*>(const_cast<std::byte*>(y.data()));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / chunks * kPanel, first = item % chunks * groups_aligned;
      const int64_t rows = std::min(kPanel, batch - row);
      WithVectors(rows, [&](auto vectors) {
        RunPanel<decltype(vectors)::value>(job, row, rows, std::min(first, m.strips()),
                                           std::min(first + groups_aligned, m.strips()), xp, yp);
      });
    }
    if (stream) hwy::FlushStream();
  });
}

std::unique_ptr<PackedWeight> Pack(const float* weight, const Mask& mask, Direction direction) {
  return std::make_unique<PairBucketStream>(weight, mask, direction, kTiling, HWY_TARGET);
}

std::string WhyNot(const LinearShape& shape) {
  const std::string here = WhyNotHere(HWY_TARGET);
  return here.empty() ? WhyNotTiled(shape) : here;
}

LinearKernel Kernel(std::string_view name, std::string_view tiling) {
  return {name, HWY_TARGET, tiling, /*one_packing=*/false, WhyNot, NeverSlower, Pack, Multiply};
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
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "twofour/core/kernels/simd_table.h"

namespace twofour::sparse {

std::span<const LinearKernel> PairBucketKernels() {
#define TWOFOUR_ROW(space, target) space::PairBucketKernel(),
  static const LinearKernel kernels[] = {TWOFOUR_FOR_EACH_TARGET(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

}  // namespace twofour::sparse
#endif
