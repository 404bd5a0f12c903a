#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"

#include <algorithm>
#include <cassert>

#include "twofour/core/half.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.h"

namespace twofour::sparse {

PairBucketStream::PairBucketStream(const float* weight, const MaskView& mask, Direction direction,
                                   const PairBucketTiling& tiling, Isa isa, DType activation)
    : PairBucketStream(TilesAsTheyLie(weight, mask, direction, tiling.block_cols,
                                      tiling.panel * static_cast<int64_t>(sizeof(float))),
                       direction == Direction::kForward ? mask.rows : mask.cols,
                       direction == Direction::kForward ? mask.cols : mask.rows, tiling, isa, LayoutFor(activation),
                       activation) {}

PairBucketStream::PairBucketStream(const StepSource& source, int64_t rows, int64_t cols, const PairBucketTiling& tiling,
                                   Isa isa, PackedLayout layout, DType activation)
    : PackedWeight(layout, isa), rows_(rows), cols_(cols), strips_(source.strips()), tiling_(tiling) {
  assert(tiling.block_cols % kTileSize == 0 || layout == PackedLayout::kVnm || layout == PackedLayout::kRoundedVnm);
  assert(tiling.block_cols * tiling.panel * static_cast<int64_t>(sizeof(float)) <= 1 << 16);
  buckets_ = source.LayOut(1);
  const uint32_t steps = buckets_.back().begin;
  storage_ = std::make_unique<Storage>(steps * (sizeof(*steps_.weights) + sizeof(*steps_.offsets)));
  steps_.weights = reinterpret_cast<float(*)[4]>(storage_->data());
  steps_.offsets = reinterpret_cast<uint16_t(*)[2]>(steps_.weights + steps);
  source.ForEach([&](int64_t i) {
    source.Write(i, source.counts(i), isa, steps_ + buckets_[static_cast<size_t>(i)].begin);
    if (activation != DType::kBF16) return;
    float* const first = steps_.weights[buckets_[static_cast<size_t>(i)].begin];
    std::transform(first, steps_.weights[buckets_[static_cast<size_t>(i) + 1].begin], first,
                   [](float x) { return static_cast<float>(BFloat16(x)); });
  });
}

size_t PairBucketStream::bytes() const { return buckets_.size() * sizeof(Buckets) + storage_->bytes(); }

}  // namespace twofour::sparse
