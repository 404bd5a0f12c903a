#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"

#include <algorithm>
#include <cassert>

#include "twofour/core/half.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.h"

namespace twofour::sparse {

PairBucketStream::PairBucketStream(const float* weight, const MaskView& mask, Direction direction,
                                   const PairBucketTiling& tiling, Isa isa, DType activation)
    : PackedWeight(LayoutFor(activation), isa),
      rows_(direction == Direction::kForward ? mask.rows : mask.cols),
      cols_(direction == Direction::kForward ? mask.cols : mask.rows),
      tiling_(tiling) {
  const int64_t column_bytes = tiling.panel * static_cast<int64_t>(sizeof(float));
  assert(tiling.block_cols % kTileSize == 0 && tiling.block_cols * column_bytes <= 1 << 16);
  const PackPlan& plan = PackPlan::For(direction == Direction::kInputGrad, column_bytes);
  const auto tiles_of = [&](int64_t i) {
    return TilesOf(weight, mask, direction, tiling_.block_cols, i / strips(), i % strips());
  };

  const int64_t count = blocks() * strips();
  const int64_t grain = 1 + 8 * 1024 / tiling_.block_cols;
  std::vector<StepCounts> counts(static_cast<size_t>(count));
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) counts[i] = plan.Count(tiles_of(i));
  });
  buckets_.resize(static_cast<size_t>(count) + 1);
  uint32_t steps = 0;
  for (int64_t i = 0; i < count; ++i) {
    buckets_[i] = {steps, {CountOf(counts[i], 0), CountOf(counts[i], 1)}};
    steps += CountOf(counts[i], 0) + CountOf(counts[i], 1) + CountOf(counts[i], 2);
  }
  buckets_[count].begin = steps;
  storage_ = std::make_unique<Storage>(steps * (sizeof(*steps_.weights) + sizeof(*steps_.offsets)));
  steps_.weights = reinterpret_cast<float(*)[4]>(storage_->data());
  steps_.offsets = reinterpret_cast<uint16_t(*)[2]>(steps_.weights + steps);
  const StepWriter write = StepWriterFor(isa);
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      write(plan, tiles_of(i), counts[i], steps_ + buckets_[i].begin);
      if (activation != DType::kBF16) continue;
      float* const first = steps_.weights[buckets_[i].begin];
      std::transform(first, steps_.weights[buckets_[i + 1].begin], first,
                     [](float x) { return static_cast<float>(BFloat16(x)); });
    }
  });
}

size_t PairBucketStream::bytes() const { return buckets_.size() * sizeof(Buckets) + storage_->bytes(); }

}  // namespace twofour::sparse
