#include "twofour/sparse/kernels/pair_bucket/bf16_stream.h"

#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kTileSteps = TileSteps::kMax,
                  kMostSteps = Bf16PairBucketStream::kTiling.block_cols / kTileSize * kTileSteps;
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

uint16_t Joined(StepCounts counts, int pairing) { return static_cast<uint16_t>(CeilDiv(CountOf(counts, pairing), 2)); }

/// The steps of one strip within one block, before they are joined.
struct Scratch {
  alignas(64) float weights[kMostSteps + kPairings * kAlignment][4];
  alignas(64) uint16_t offsets[kMostSteps + kPairings * kAlignment][2];
};

}  // namespace

Bf16PairBucketStream::Bf16PairBucketStream(const float* weight, const MaskView& mask, Direction direction, Isa isa,
                                           JoinSteps join)
    : PackedWeight(kLayout, isa),
      rows_(direction == Direction::kForward ? mask.rows : mask.cols),
      cols_(direction == Direction::kForward ? mask.cols : mask.rows) {
  const PackPlan& plan = PackPlan::For(direction == Direction::kInputGrad, kTiling.panel * sizeof(uint16_t));
  const auto tiles_of = [&](int64_t i) {
    return TilesOf(weight, mask, direction, kTiling.block_cols, i / strips(), i % strips());
  };
  const int64_t count = blocks() * strips();
  const int64_t grain = 1 + 8 * 1024 / kTiling.block_cols;
  std::vector<StepCounts> counts(static_cast<size_t>(count));
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) counts[i] = plan.Count(tiles_of(i));
  });
  buckets_.resize(static_cast<size_t>(count) + 1);
  uint32_t steps = 0;
  for (int64_t i = 0; i < count; ++i) {
    buckets_[i] = {steps, {Joined(counts[i], 0), Joined(counts[i], 1)}};
    steps += Joined(counts[i], 0) + Joined(counts[i], 1) + Joined(counts[i], 2);
  }
  buckets_[count].begin = steps;
  storage_ = std::make_unique<Storage>(RoundUpForReuse(steps * (sizeof(*steps_.weights) + sizeof(*steps_.offsets))));
  steps_.weights = reinterpret_cast<uint32_t(*)[4]>(storage_->data());
  steps_.offsets = reinterpret_cast<uint16_t(*)[4]>(steps_.weights + steps);
  const StepWriter write = StepWriterFor(isa == Isa::kAvx512Bf16 ? Isa::kAvx512 : Isa::kAny);
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    const PairBucketSteps all{scratch.offsets, scratch.weights};
    for (int64_t i = begin; i < end; ++i) {
      const StepCounts spread = Spread(counts[i]), first = FirstSteps(spread);
      write(plan, tiles_of(i), spread, all);
      uint32_t to = buckets_[i].begin;
      for (int pairing = 0; pairing < kPairings; ++pairing) {
        join(all + CountOf(first, pairing), CountOf(counts[i], pairing), {steps_.offsets + to, steps_.weights + to});
        to += Joined(counts[i], pairing);
      }
    }
  });
}

}  // namespace twofour::sparse
