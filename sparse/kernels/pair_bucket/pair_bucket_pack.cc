#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/never_destroyed.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Copies the weights of a recipe, four into each step.
HWY_INLINE void CopyWeights(const TileRecipe& recipe, const float* tile, int64_t ld, float* first, float* second) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  const hn::FixedTag<float, 8> eight;
  const hn::FixedTag<float, 4> four;
  const auto rows01 = hn::Combine(eight, hn::LoadU(four, tile + ld), hn::LoadU(four, tile));
  const auto rows23 = hn::Combine(eight, hn::LoadU(four, tile + 3 * ld), hn::LoadU(four, tile + 2 * ld));
  const hn::RebindToSigned<decltype(eight)> integers;
  const auto entry = hn::Load(integers, recipe.entry);
  const auto lane = hn::IndicesFromVec(eight, hn::And(entry, hn::Set(integers, 7)));
  const auto in_lower_rows = hn::RebindMask(eight, hn::Gt(entry, hn::Set(integers, 7)));
  const auto weights =
      hn::IfThenElse(in_lower_rows, hn::TableLookupLanes(rows23, lane), hn::TableLookupLanes(rows01, lane));
  hn::StoreU(hn::LowerHalf(four, weights), four, first);
  hn::StoreU(hn::UpperHalf(four, weights), four, second);
#else
  const auto at = [&](int i) { return tile[recipe.entry[i] / kTileSize * ld + recipe.entry[i] % kTileSize]; };
  for (int i = 0; i < 4; ++i) first[i] = at(i);
  for (int i = 0; i < 4; ++i) second[i] = at(4 + i);
#endif
}

void WriteSteps(const PackPlan& plan, const TileRange& tiles, StepCounts counts, const PairBucketSteps& steps) {
  // Local copies, so that the compiler knows that no write changes them.
  uint16_t(*const offsets)[2] = steps.offsets;
  float(*const weights)[4] = steps.weights;
  const int64_t ld = tiles.ld, weight_stride = tiles.weight_stride, mask_stride = tiles.mask_stride;
  // Both columns of a step move by the same offset, so it is added to both halves at once. Neither half overflows.
  const uint32_t tile_offsets = static_cast<uint32_t>(kTileSize * plan.column_bytes()) * 0x10001u;
  // The next strip: below this one, or beside it if the matrix is transposed.
  const int64_t ahead = weight_stride == kTileSize ? kTileSize * ld : 4 * kTileSize;
  StepCounts next = FirstSteps(counts);
  uint32_t base = 0;
  const float* weight = tiles.weight;
  const TileMask* const end = tiles.masks + tiles.count * mask_stride;
  for (const TileMask* mask = tiles.masks; mask != end; mask += mask_stride) {
    const TileRecipe* const recipe = plan.Find(*mask);
    if (recipe == nullptr) {
      next = plan.WriteAnyTile(*mask, weight, ld, base & 0xffffu, next, steps);
    } else {
      const uint64_t step0 = next >> recipe->shift[0] & 0xffffu;
      const uint64_t step1 = (next + (StepCounts{1} << recipe->shift[0])) >> recipe->shift[1] & 0xffffu;
      next += recipe->counts;
      const uint32_t offsets0 = recipe->offsets[0] + base, offsets1 = recipe->offsets[1] + base;
      std::memcpy(offsets[step0], &offsets0, sizeof(offsets0));
      std::memcpy(offsets[step1], &offsets1, sizeof(offsets1));
      CopyWeights(*recipe, weight, ld, weights[step0], weights[step1]);
    }
    for (int r = 0; r < kTileSize; ++r) hwy::Prefetch(weight + ahead + r * ld);
    weight += weight_stride;
    base += tile_offsets;
  }
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {
namespace {

TileMask Oriented(TileMask mask, bool transposed) {
  if (!transposed) return mask;
  TileMask result = 0;
  for (int entry = 0; entry < kTileSize * kTileSize; ++entry) {
    if (Keeps(mask, entry % kTileSize, entry / kTileSize)) result = static_cast<TileMask>(result | 1u << entry);
  }
  return result;
}

StepCounts CountsOf(const TileSteps& steps) {
  StepCounts counts = 0;
  for (int s = 0; s < steps.count; ++s) counts += StepCounts{1} << (16 * steps.step[s].pairing);
  return counts;
}

/// The two offsets of a step as they lie in memory, for a tile that begins `tile_offset` bytes into its block.
uint32_t OffsetsOf(const TileStep& step, uint32_t tile_offset, int64_t column_bytes) {
  const auto first = static_cast<uint16_t>(tile_offset + step.col[0] * column_bytes);
  const auto second = static_cast<uint16_t>(tile_offset + step.col[1] * column_bytes);
  return std::bit_cast<uint32_t>(std::array<uint16_t, 2>{first, second});
}

TileRecipe RecipeOf(TileMask mask, bool transposed, int64_t column_bytes) {
  const TileSteps steps = StepsOfTile(Oriented(mask, transposed));
  assert(steps.count == 2);
  TileRecipe recipe;
  recipe.counts = CountsOf(steps);
  for (int s = 0; s < 2; ++s) {
    const TileStep& step = steps.step[s];
    recipe.shift[s] = static_cast<uint8_t>(16 * step.pairing);
    recipe.offsets[s] = OffsetsOf(step, 0, column_bytes);
    for (int i = 0; i < 4; ++i) {
      const int row = step.row[i], col = step.col[i / 2];
      recipe.entry[4 * s + i] = transposed ? kTileSize * col + row : kTileSize * row + col;
    }
  }
  return recipe;
}

}  // namespace

TileRange TilesOf(const float* weight, const MaskView& mask, Direction direction, int64_t block_cols, int64_t block,
                  int64_t strip) {
  const bool transposed = direction == Direction::kInputGrad;
  const int64_t cols = transposed ? mask.rows : mask.cols;
  const int64_t first_tile = block * block_cols / kTileSize;
  const int64_t tile_row = transposed ? first_tile : strip, tile_col = transposed ? strip : first_tile;
  return {.masks = mask.tiles + tile_row * mask.tile_cols() + tile_col,
          .mask_stride = transposed ? mask.tile_cols() : 1,
          .weight = weight + (tile_row * mask.cols + tile_col) * kTileSize,
          .ld = mask.cols,
          .weight_stride = transposed ? kTileSize * mask.cols : kTileSize,
          .count = std::min(block_cols, cols - block * block_cols) / kTileSize};
}

PackPlan::PackPlan(bool transposed, int64_t column_bytes)
    : transposed_(transposed), column_bytes_(column_bytes), numbers_(MaskNumbers()) {
  for (const TileMask mask : TransposableMasks()) recipes_.push_back(RecipeOf(mask, transposed, column_bytes));
}

const PackPlan& PackPlan::For(bool transposed, int64_t column_bytes) {
  static std::mutex making;
  static NeverDestroyed<std::map<std::pair<bool, int64_t>, std::unique_ptr<const PackPlan>>> plans;
  const std::lock_guard lock(making);
  std::unique_ptr<const PackPlan>& plan = (*plans)[{transposed, column_bytes}];
  if (plan == nullptr) plan.reset(new PackPlan(transposed, column_bytes));
  return *plan;
}

const uint8_t* PackPlan::MaskNumbers() {
  static const NeverDestroyed<std::vector<uint8_t>> numbers([] {
    std::vector<uint8_t> result(1 << 16, kNotTransposable);
    const std::span<const TileMask> masks = TransposableMasks();
    for (size_t i = 0; i < masks.size(); ++i) result[masks[i]] = static_cast<uint8_t>(i);
    return result;
  }());
  return (*numbers).data();
}

StepCounts PackPlan::Count(const TileRange& tiles) const {
  StepCounts counts = 0;
  for (int64_t t = 0; t < tiles.count; ++t) {
    const TileMask mask = tiles.masks[t * tiles.mask_stride];
    const TileRecipe* const recipe = Find(mask);
    counts += recipe != nullptr ? recipe->counts : CountsOf(StepsOfTile(Oriented(mask, transposed_)));
  }
  return counts;
}

TilesAsTheyLie::TilesAsTheyLie(const float* weight, const MaskView& mask, Direction direction, int64_t block_cols,
                               int64_t column_bytes)
    : StepSource(CeilDiv(direction == Direction::kForward ? mask.cols : mask.rows, block_cols),
                 (direction == Direction::kForward ? mask.rows : mask.cols) / kTileSize, block_cols),
      weight_(weight),
      mask_(mask),
      direction_(direction),
      block_cols_(block_cols),
      plan_(PackPlan::For(direction == Direction::kInputGrad, column_bytes)) {
  ForEach([&](int64_t i) { counts_[static_cast<size_t>(i)] = plan_.Count(tiles(i)); });
}

void TilesAsTheyLie::Write(int64_t i, StepCounts spread, Isa isa, const PairBucketSteps& steps) const {
  StepWriterFor(isa)(plan_, tiles(i), spread, steps);
}

std::vector<PairBucketStream::Buckets> StepSource::LayOut(int64_t together) const {
  const auto joined = [together](StepCounts counts, int pairing) {
    return static_cast<uint16_t>(CeilDiv(CountOf(counts, pairing), together));
  };
  std::vector<PairBucketStream::Buckets> buckets;
  buckets.reserve(counts_.size() + 1);
  uint32_t steps = 0;
  for (const StepCounts counts : counts_) {
    buckets.push_back({steps, {joined(counts, 0), joined(counts, 1)}});
    for (int pairing = 0; pairing < kPairings; ++pairing) steps += joined(counts, pairing);
  }
  buckets.push_back({.begin = steps});
  return buckets;
}

StepCounts PackPlan::WriteAnyTile(TileMask mask, const float* weight, int64_t ld, uint32_t tile_offset, StepCounts next,
                                  const PairBucketSteps& steps) const {
  const TileSteps tile = StepsOfTile(Oriented(mask, transposed_));
  for (int s = 0; s < tile.count; ++s) {
    const TileStep& from = tile.step[s];
    const uint32_t step = CountOf(next, from.pairing);
    next += StepCounts{1} << (16 * from.pairing);
    const uint32_t offsets = OffsetsOf(from, tile_offset, column_bytes_);
    std::memcpy(steps.offsets[step], &offsets, sizeof(offsets));
    for (int i = 0; i < 4; ++i) {
      const int64_t row = from.row[i], col = from.col[i / 2];
      steps.weights[step][i] = row < 0 ? 0.0f : weight[transposed_ ? col * ld + row : row * ld + col];
    }
  }
  return next;
}

StepWriter StepWriterFor(Isa isa) {
#define TWOFOUR_CASE(space, its_isa) \
  if (isa == its_isa) return space::WriteSteps;
  TWOFOUR_FOR_EACH_ISA(TWOFOUR_CASE)
#undef TWOFOUR_CASE
  return WriteSteps;
}

void WriteSteps(const PackPlan& plan, const TileRange& tiles, StepCounts counts, const PairBucketSteps& steps) {
  StepCounts next = FirstSteps(counts);
  for (int64_t t = 0; t < tiles.count; ++t) {
    next = plan.WriteAnyTile(tiles.masks[t * tiles.mask_stride], tiles.weight + t * tiles.weight_stride, tiles.ld,
                             static_cast<uint32_t>(t * kTileSize * plan.column_bytes()), next, steps);
  }
}

}  // namespace twofour::sparse
#endif
