// Products of row-major bf16 with V:N:M weights: Bf16PairBucketStreams whose columns need not be neighbours (VnmTiles).
// Compiled twice: see bf16_vectors-inl.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <type_traits>

#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_join_steps-inl.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_pair_bucket-inl.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_stream.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

using Bf16VnmStream = VnmStream<Bf16PairBucketStream>;

/// A block of a panel is larger than the first-level cache may be, but a strip of W reads a part of its columns only,
/// and one of W transposed those of V rows.
inline constexpr int64_t kVnmBlockCols = 384;
static_assert(kVnmBlockCols <= Bf16PairBucketStream::kMostBlockCols);

/// Multiplies the groups of strips [first, last) of W transposed with one panel. As RunPanel, but the rows of a strip
/// are those that it names. `sums` has room for all rows of the strips and one more, to which nothing that counts is
/// added.
template <int H, typename Source, typename Sink>
HWY_INLINE void RunNamedPanel(const Bf16VnmStream& m, int64_t first, int64_t last, const Source& source, float* sums,
                              Sink& sink) {
  const VnmColumns& columns = m.columns();
  const int64_t row = first * 4, rows = (last - first) * 4;
  const int64_t group = row / columns.m(), end_group = std::min(CeilDiv(last * 4, columns.m()), columns.groups());
  std::fill_n(sums, (rows + 1) * kPanel, 0.0f);
  const Bf16PairBucketStream& stream = m.stream();
  const Bf16Steps steps = stream.steps();
  for (int64_t block = 0; block < stream.blocks(); ++block) {
    const int64_t col = block * stream.block_cols();
    const char* const x =
        reinterpret_cast<const char*>(source(col, std::min(stream.block_cols(), stream.cols() - col)));
    const int64_t row_block = col / columns.v(), row_blocks = stream.strips() / columns.groups();
    for (int64_t i = 0; i < row_blocks && row_block + i < columns.row_blocks(); ++i) {
      const Bf16PairBucketStream::Buckets* const buckets = stream.buckets(block) + i * columns.groups();
      for (int64_t g = group; g < end_group; ++g) {
        const VnmColumns::Four& four = columns.at(row_block + i, g);
        float* to[4];
        for (int r = 0; r < 4; ++r) to[r] = sums + (four[r] == VnmColumns::kNone ? rows : four[r] - row) * kPanel;
        Sums<H> sum;
        TWOFOUR_UNROLL
        for (int r = 0; r < 4; ++r) {
          TWOFOUR_UNROLL
          for (int v = 0; v < 2 * H; ++v) sum[r][v] = LoadFloats(to[r] + v * kLanes);
        }
        AddStrip<H>(steps, buckets[g], buckets[g + 1].begin, x, sum);
        TWOFOUR_UNROLL
        for (int r = 0; r < 4; ++r) {
          TWOFOUR_UNROLL
          for (int v = 0; v < 2 * H; ++v) StoreFloats(sum[r][v], to[r] + v * kLanes);
        }
      }
    }
  }
  for (int64_t strip = first; strip < last; ++strip) {
    for (int r = 0; r < 4; ++r) {
      const float* const from = sums + ((strip - first) * 4 + r) * kPanel;
      TWOFOUR_UNROLL
      for (int h = 0; h < H; ++h) {
        sink.Take(strip, r, h, LoadFloats(from + 2 * h * kLanes), LoadFloats(from + (2 * h + 1) * kLanes));
      }
    }
    sink.Done(strip);
  }
}

void MultiplyVnm(const PackedWeight& packed, Direction direction, int64_t batch, const BFloat16* in,
                 const Epilogue& epilogue, BFloat16* out) {
  const auto& m = PackedAs<Bf16VnmStream>(packed, kIsa, PackedLayout::kBf16Vnm);
  const Bf16PairBucketStream& stream = m.stream();
  const bool named = direction == Direction::kInputGrad;
  // Ranges of strips begin where a group does.
  const int64_t together = named ? std::lcm(m.columns().m(), kSquare) / 4 : kSquare / 4;
  const PanelWork work(stream.rows() / 4, stream.cols(), batch, kPanel, together);
  MultiplyRowMajor(stream, work, batch, in, epilogue, out,
                   [&](auto squares, int64_t first, int64_t last, const auto& source, float* sums, RowMajorSink& sink) {
                     constexpr int kSquares = decltype(squares)::value;
                     if (named) {
                       RunNamedPanel<kSquares>(m, first, last, source, sums, sink);
                     } else {
                       RunPanel<kSquares>(stream, first, last, source, sums, sink);
                     }
                   });
}

std::unique_ptr<PackedWeight> PackVnm(const float* weight, const MaskView& mask, Direction direction) {
  const int64_t block_cols = VnmTiles::BlockCols(mask, direction, kVnmBlockCols);
  const VnmTiles tiles(weight, mask, direction, block_cols, kPanel * sizeof(BFloat16));
  const bool forward = direction == Direction::kForward;
  return std::make_unique<Bf16VnmStream>(
      tiles.columns(),
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
          .multiply = MultiplyAs<BFloat16, MultiplyVnm>};
}

}  // namespace twofour::sparse::TWOFOUR_BF16
