// Products of row-major matrices with V:N:M weights: pair buckets whose columns need not be neighbours (VnmTiles).
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_stream.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/pair_bucket/vnm.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

/// Multiplies the groups of strips [first, last) of W transposed with one panel. As RunPanel, but the rows of a strip
/// are those that it names. `sums` has room for all rows of the strips and one more, to which nothing that counts is
/// added.
template <int T, typename Source, typename Sink>
HWY_INLINE void RunNamedPanel(const VnmStream<PairBucketStream>& m, int64_t first, int64_t last, const Source& source,
                              float* sums, Sink& sink) {
  const VnmColumns& columns = m.columns();
  const int64_t row = first * 4, rows = (last - first) * 4;
  const int64_t group = row / columns.m(), end_group = std::min(CeilDiv(last * 4, columns.m()), columns.groups());
  std::fill_n(sums, (rows + 1) * kPanel, 0.0f);
  const PairBucketStream& stream = m.stream();
  const PairBucketSteps steps = stream.steps();
  for (int64_t block = 0; block < stream.blocks(); ++block) {
    const int64_t block_cols = stream.tiling().block_cols, col = block * block_cols;
    const float* const x = source(col, std::min(block_cols, stream.cols() - col));
    const int64_t row_block = col / columns.v(), row_blocks = stream.strips() / columns.groups();
    for (int64_t i = 0; i < row_blocks && row_block + i < columns.row_blocks(); ++i) {
      const PairBucketStream::Buckets* const buckets = stream.buckets(block) + i * columns.groups();
      for (int64_t g = group; g < end_group; ++g) {
        const VnmColumns::Four& four = columns.at(row_block + i, g);
        float* to[4];
        for (int r = 0; r < 4; ++r) to[r] = sums + (four[r] == VnmColumns::kNone ? rows : four[r] - row) * kPanel;
        V sum[4][T];
        TWOFOUR_UNROLL
        for (int r = 0; r < 4; ++r) {
          TWOFOUR_UNROLL
          for (int t = 0; t < T; ++t) sum[r][t] = hn::Load(d, to[r] + t * kLanes);
        }
        AddStrip<T>(steps, buckets[g], buckets[g + 1].begin, x, sum);
        TWOFOUR_UNROLL
        for (int r = 0; r < 4; ++r) {
          TWOFOUR_UNROLL
          for (int t = 0; t < T; ++t) hn::Store(sum[r][t], d, to[r] + t * kLanes);
        }
      }
    }
  }
  for (int64_t strip = first; strip < last; ++strip) {
    const float* const from = sums + (strip - first) * 4 * kPanel;
    float* const to = sink.Target(strip);
    for (int r = 0; r < 4; ++r) {
      TWOFOUR_UNROLL
      for (int t = 0; t < T; ++t) {
        hn::Store(sink.Finish(strip, r, t, hn::Load(d, from + r * kPanel + t * kLanes)), d,
                  to + r * kPanel + t * kLanes);
      }
    }
    sink.Done(strip);
  }
}

template <typename T>
constexpr PackedLayout kLayoutFor = std::is_same_v<T, BFloat16> ? PackedLayout::kRoundedVnm : PackedLayout::kVnm;

template <typename T>
void MultiplyVnm(const PackedWeight& packed, Direction direction, int64_t batch, const T* in, const Epilogue& epilogue,
                 T* out) {
  const auto& m = PackedAs<VnmStream<PairBucketStream>>(packed, IsaOf(HWY_TARGET), kLayoutFor<T>);
  const PairBucketStream& stream = m.stream();
  const bool named = direction == Direction::kInputGrad;
  // Ranges of strips begin where a group does.
  const int64_t together = named ? std::lcm(m.columns().m(), kGroup) / 4 : kGroup / 4;
  const PanelWork work(stream.rows() / 4, stream.cols(), batch, kPanel, together);
  const int64_t strips = stream.rows() / 4;
  const bool past_caches = ShouldStream(out, batch, stream.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> block(stream.tiling().block_cols * kPanel), sums((work.strips * 4 + 1) * kPanel);
    float* const x = block.data();
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / work.ranges * kPanel, rows = std::min(kPanel, batch - row);
      const int64_t first = std::min(item % work.ranges * work.strips, strips);
      const int64_t last = std::min(first + work.strips, strips);
      RowMajorSink<T> sink(epilogue, rows, first, last, out + row * stream.rows(), stream.rows(), past_caches);
      const auto source = [&](int64_t col, int64_t cols) {
        PackPanel(in + row * stream.cols() + col, stream.cols(), rows, cols, x);
        return x;
      };
      WithVectors(rows, [&](auto vectors) {
        constexpr int kT = decltype(vectors)::value;
        if (named) {
          RunNamedPanel<kT>(m, first, last, source, sums.data(), sink);
        } else {
          RunPanel<kT>(stream, first, last, source, sums.data(), sink);
        }
      });
    }
    if (past_caches) hwy::FlushStream();
  });
}

template <typename T>
std::unique_ptr<PackedWeight> PackVnm(const float* weight, const MaskView& mask, Direction direction) {
  const int64_t block_cols = VnmTiles::BlockCols(mask, direction, kBlockCols);
  const VnmTiles tiles(weight, mask, direction, block_cols, kPanel * sizeof(float));
  const bool forward = direction == Direction::kForward;
  return std::make_unique<VnmStream<PairBucketStream>>(
      tiles.columns(), std::make_unique<PairBucketStream>(
                           tiles, forward ? mask.rows : mask.cols, forward ? mask.cols : mask.rows,
                           PairBucketTiling{kPanel, block_cols}, IsaOf(HWY_TARGET), kLayoutFor<T>, DTypeOf<T>()));
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
          .layout = kLayoutFor<T>,
          .one_packing = false,
          .activation = kActivation,
          .check = CheckVnm,
          .pack = PackVnm<T>,
          .multiply = MultiplyAs<T, MultiplyVnm<T>>};
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
