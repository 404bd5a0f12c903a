#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"

#include <algorithm>
#include <cassert>

#include "twofour/core/half.h"
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
  const StripsOfBlocks strips(weight, mask, direction, tiling.block_cols, column_bytes);
  buckets_ = strips.LayOut(1);
  const uint32_t steps = buckets_.back().begin;
  storage_ = std::make_unique<Storage>(steps * (sizeof(*steps_.weights) + sizeof(*steps_.offsets)));
  steps_.weights = reinterpret_cast<float(*)[4]>(storage_->data());
  steps_.offsets = reinterpret_cast<uint16_t(*)[2]>(steps_.weights + steps);
  const StepWriter write = StepWriterFor(isa);
  strips.ForEach([&](int64_t i) {
    write(strips.plan(), strips.tiles(i), strips.counts(i), steps_ + buckets_[i].begin);
    if (activation != DType::kBF16) return;
    float* const first = steps_.weights[buckets_[i].begin];
    std::transform(first, steps_.weights[buckets_[i + 1].begin], first,
                   [](float x) { return static_cast<float>(BFloat16(x)); });
  });
}

size_t PairBucketStream::bytes() const { return buckets_.size() * sizeof(Buckets) + storage_->bytes(); }

}  // namespace twofour::sparse
