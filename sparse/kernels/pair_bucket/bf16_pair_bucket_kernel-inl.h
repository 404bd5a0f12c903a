// Products of row-major bf16 with a Bf16PairBucketStream. Compiled twice: see bf16_vectors-inl.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/linear_kernels.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_pair_bucket-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

/// A JoinSteps, which joins eight steps at a time.
void Join(const PairBucketSteps& from, int64_t steps, const Bf16Steps& to) {
  if (steps % 2 != 0) {
    std::fill_n(from.weights[steps], 4, 0.0f);
    std::copy_n(from.offsets[steps - 1], 2, from.offsets[steps]);
  }
  constexpr int64_t kSteps = 2 * kLanes / 4;
  const int64_t joined = CeilDiv(steps, 2);
  for (int64_t step = 0; step < steps; step += kSteps) {
    const float* const w = from.weights[step];
    const Pairs pairs = JoinQuads(RoundToBf16(LoadFloats(w), LoadFloats(w + kLanes)));
    uint32_t(*const target)[4] = to.weights + step / 2;
    if (const int64_t left = joined - step / 2; left >= kSteps / 2) {
      StorePairs(pairs, target);
    } else {
      alignas(64) uint32_t last[kSteps / 2][4];
      StorePairs(pairs, last);
      std::memcpy(target, last, static_cast<size_t>(left) * sizeof(*last));
    }
  }
  for (int64_t i = 0; i < joined; ++i) {
    const uint16_t(*const two)[2] = from.offsets + 2 * i;
    for (int column = 0; column < 2; ++column) {
      to.offsets[i][2 * column] = two[0][column];
      to.offsets[i][2 * column + 1] = two[1][column];
    }
  }
}

void Multiply(const PackedWeight& packed, Direction, int64_t batch, const BFloat16* in, const Epilogue& epilogue,
              BFloat16* out) {
  const auto& m = PackedAs<Bf16PairBucketStream>(packed, kIsa);
  const PanelWork work = WorkOf(m, batch);
  const bool stream = ShouldStream(out, batch, m.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<BFloat16> block(kBlockCols * kPanel);
    AlignedBuffer<float> sums(work.strips * 4 * kPanel);
    BFloat16* const x = block.data();
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / work.ranges * kPanel, rows = std::min(kPanel, batch - row);
      const int64_t first = std::min(item % work.ranges * work.strips, m.strips());
      const int64_t last = std::min(first + work.strips, m.strips());
      RowMajorSink sink(epilogue, rows, first, last, out + row * m.rows(), m.rows(), stream);
      const auto source = [&](int64_t col, int64_t cols) {
        PackPanel(in + row * m.cols() + col, m.cols(), rows, cols, x);
        return x;
      };
      WithSquares(rows,
                  [&](auto squares) { RunPanel<decltype(squares)::value>(m, first, last, source, sums.data(), sink); });
    }
    if (stream) FlushStream();
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
