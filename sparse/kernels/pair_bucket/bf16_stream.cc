#include "twofour/sparse/kernels/pair_bucket/bf16_stream.h"

#include <cassert>

#include "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kTileSteps = TileSteps::kMax,
                  kMostSteps = Bf16PairBucketStream::kMostBlockCols / kTileSize * kTileSteps;
/// The steps of each bucket begin at a multiple of this, so that they can be read as whole vectors.
constexpr int64_t kAlignment = 8;

/// The counts of all three pairings, each rounded up.
StepCounts Spread(StepCounts counts) {
  StepCounts spread = 0;
  for (int pairing = 0; pairing < kPairings; ++pairing) {
    // One step more than there are, for JoinSteps.
    spread |= static_cast<StepCounts>(RoundUp(CountOf(counts, pairing) + 1, kAlignment)) << (16 * pairing);
  }
  return spread;
}

/// The steps of one strip within one block, before they are joined.
struct Scratch {
  alignas(64) float weights[kMostSteps + kPairings * kAlignment][4];
  alignas(64) uint16_t offsets[kMostSteps + kPairings * kAlignment][2];
};

}  // namespace

Bf16PairBucketStream::Bf16PairBucketStream(const float* weight, const MaskView& mask, Direction direction, Isa isa,
                                           JoinSteps join)
    : Bf16PairBucketStream(
          TilesAsTheyLie(weight, mask, direction, kTiling.block_cols, kTiling.panel * sizeof(uint16_t)),
          direction == Direction::kForward ? mask.rows : mask.cols,
          direction == Direction::kForward ? mask.cols : mask.rows, kTiling.block_cols, isa, kLayout, join) {}

Bf16PairBucketStream::Bf16PairBucketStream(const StepSource& source, int64_t rows, int64_t cols, int64_t block_cols,
                                           Isa isa, PackedLayout layout, JoinSteps join)
    : PackedWeight(layout, isa), rows_(rows), cols_(cols), block_cols_(block_cols), strips_(source.strips()) {
  assert(block_cols <= kMostBlockCols);
  buckets_ = source.LayOut(2);
  const uint32_t steps = buckets_.back().begin;
  storage_ = std::make_unique<Storage>(RoundUpForReuse(steps * (sizeof(*steps_.weights) + sizeof(*steps_.offsets))));
  steps_.weights = reinterpret_cast<uint32_t(*)[4]>(storage_->data());
  steps_.offsets = reinterpret_cast<uint16_t(*)[4]>(steps_.weights + steps);
  const Isa copying = isa == Isa::kAvx512Bf16 ? Isa::kAvx512 : Isa::kAny;
  source.ForEach([&](int64_t i) {
    Scratch scratch;
    const PairBucketSteps all{scratch.offsets, scratch.weights};
    const StepCounts counts = source.counts(i), spread = Spread(counts), first = FirstSteps(spread);
    source.Write(i, spread, copying, all);
    uint32_t to = buckets_[static_cast<size_t>(i)].begin;
    for (int pairing = 0; pairing < kPairings; ++pairing) {
      const uint16_t in_bucket = CountOf(counts, pairing);
      join(all + CountOf(first, pairing), in_bucket, {steps_.offsets + to, steps_.weights + to});
      to += static_cast<uint32_t>(CeilDiv(in_bucket, 2));
    }
  });
}

}  // namespace twofour::sparse
