#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>

#include "twofour/sparse/kernels/pair_bucket/vnm_pack.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/pair_bucket/vnm_pack.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
/// The columns of a group of at most so many are copied by vectors of 8 or 16. Those of wider groups are copied one by
/// one.
inline constexpr int64_t kWidest = hn::MaxLanes(hn::ScalableTag<float>());

/// Copies the weights of a recipe, four into each step. The columns lie within kWidth from `begin` on.
template <int kWidth>
HWY_INLINE void CopyFromRows(const TileRecipe& recipe, const float* weight, int64_t ld, const VnmColumns::Four& columns,
                             int64_t begin, float* first, float* second) {
  const hn::CappedTag<float, kWidth> d;
  const hn::RebindToSigned<decltype(d)> integers;
  // Of vectors of 16, the upper half is read, too, and comes to nothing.
  const auto entry = hn::LoadU(integers, recipe.entry);
  const auto four = hn::Sub(hn::LoadDup128(integers, columns), hn::Set(integers, static_cast<int32_t>(begin)));
  const auto col = hn::TableLookupLanes(four, hn::IndicesFromVec(integers, hn::And(entry, hn::Set(integers, 3))));
  const auto lane = hn::IndicesFromVec(d, hn::And(col, hn::Set(integers, kWidth - 1)));
  auto weights = hn::TableLookupLanes(hn::LoadU(d, weight + begin), lane);
  for (int r = 1; r < kTileSize; ++r) {
    const auto not_above = hn::RebindMask(d, hn::Gt(entry, hn::Set(integers, kTileSize * r - 1)));
    weights = hn::IfThenElse(not_above, hn::TableLookupLanes(hn::LoadU(d, weight + r * ld + begin), lane), weights);
  }
  const hn::FixedTag<float, 8> eight;
  const hn::FixedTag<float, 4> quad;
  const auto both = [&] {
    if constexpr (hn::MaxLanes(d) == 16) {
      return hn::LowerHalf(eight, weights);
    } else {
      return weights;
    }
  }();
  hn::StoreU(hn::LowerHalf(quad, both), quad, first);
  hn::StoreU(hn::UpperHalf(quad, both), quad, second);
}
#else
inline constexpr int64_t kWidest = 0;
template <int kWidth>
HWY_INLINE void CopyFromRows(const TileRecipe&, const float*, int64_t, const VnmColumns::Four&, int64_t, float*,
                             float*) {}
#endif

HWY_INLINE void CopyOneByOne(const TileRecipe& recipe, const float* weight, int64_t ld, const VnmColumns::Four& columns,
                             float* first, float* second) {
  const auto at = [&](int i) {
    const auto entry = static_cast<uint32_t>(recipe.entry[i]);
    return weight[entry / kTileSize * ld + columns[entry % kTileSize]];
  };
  for (int i = 0; i < 4; ++i) first[i] = at(i);
  for (int i = 0; i < 4; ++i) second[i] = at(4 + i);
}

/// As WriteVnmSteps. Copies by vectors of kWidth, or one by one if that is 0.
template <int kWidth>
void WriteStepsByWidth(const PackPlan& plan, const VnmTileRange& range, StepCounts spread,
                       const PairBucketSteps& steps) {
  // Local copies, so that the compiler knows that no write changes them.
  uint16_t(*const to_offsets)[2] = steps.offsets;
  float(*const to_weights)[4] = steps.weights;
  const bool forward = range.forward;
  const int64_t ld = range.ld, m = range.m;
  // The next strip: below this one, or beside it in the transpose.
  const int64_t ahead = forward ? kTileSize * ld : 4 * kTileSize;
  StepCounts next = FirstSteps(spread);
  const TileMask* tile = range.tiles;
  const VnmColumns::Four* columns = range.columns;
  const float* weight = range.weight;
  int64_t group_begin = range.group * m, row = range.row;
  for (int64_t t = 0; t < range.count; ++t) {
    const VnmColumns::Four& four = *columns;
    uint16_t offsets[kTileSize];  // Of the tile's columns in a panel.
    SetVnmOffsets(range, four, row, offsets);
    const TileRecipe* const recipe = plan.Find(*tile);
    if (recipe == nullptr) {
      next = WriteAnyVnmTile(plan, *tile, weight, ld, four, offsets, next, steps);
    } else {
      const uint64_t step0 = next >> recipe->shift[0] & 0xffffu;
      const uint64_t step1 = (next + (StepCounts{1} << recipe->shift[0])) >> recipe->shift[1] & 0xffffu;
      next += recipe->counts;
      for (int c = 0; c < 2; ++c) {
        to_offsets[step0][c] = offsets[recipe->offsets[0] >> (16 * c) & 0xffffu];
        to_offsets[step1][c] = offsets[recipe->offsets[1] >> (16 * c) & 0xffffu];
      }
      if constexpr (kWidth > 0) {
        CopyFromRows<kWidth>(*recipe, weight, ld, four, std::min(group_begin, ld - kWidth), to_weights[step0],
                             to_weights[step1]);
      } else {
        CopyOneByOne(*recipe, weight, ld, four, to_weights[step0], to_weights[step1]);
      }
    }
    for (int r = 0; r < kTileSize; ++r) hwy::Prefetch(weight + ahead + r * ld + group_begin);
    tile += range.tile_stride;
    if (forward) {
      ++columns;
      group_begin += m;
    } else {
      weight += kTileSize * ld;
      row += kTileSize;
    }
  }
}

void WriteVnmSteps(const PackPlan& plan, const VnmTileRange& range, StepCounts spread, const PairBucketSteps& steps) {
  const int64_t least = std::min(kWidest, range.ld);
  if (range.m <= 8 && least >= 8) return WriteStepsByWidth<8>(plan, range, spread, steps);
  if (range.m <= 16 && least >= 16) return WriteStepsByWidth<16>(plan, range, spread, steps);
  WriteStepsByWidth<0>(plan, range, spread, steps);
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {

StepCounts WriteAnyVnmTile(const PackPlan& plan, TileMask tile, const float* weight, int64_t ld,
                           const VnmColumns::Four& columns, const uint16_t (&offsets)[kTileSize], StepCounts next,
                           const PairBucketSteps& steps) {
  float entries[kTileSize][kTileSize] = {};
  for (int r = 0; r < kTileSize; ++r) {
    for (int c = 0; c < kTileSize; ++c) {
      if (Keeps(tile, r, c)) entries[r][c] = weight[r * ld + columns[c]];
    }
  }
  const StepCounts begin = next;
  next = plan.WriteAnyTile(tile, entries[0], kTileSize, 0, next, steps);
  for (int pairing = 0; pairing < kPairings; ++pairing) {
    for (uint16_t step = CountOf(begin, pairing); step != CountOf(next, pairing); ++step) {
      for (uint16_t& offset : steps.offsets[step]) offset = offsets[offset];
    }
  }
  return next;
}

void WriteVnmSteps(const PackPlan& plan, const VnmTileRange& range, StepCounts spread, const PairBucketSteps& steps) {
  StepCounts next = FirstSteps(spread);
  for (int64_t t = 0; t < range.count; ++t) {
    const VnmColumns::Four& columns = range.columns[range.forward ? t : 0];
    const int64_t row = range.forward ? 0 : t * kTileSize;
    uint16_t offsets[kTileSize];
    SetVnmOffsets(range, columns, range.row + row, offsets);
    next = WriteAnyVnmTile(plan, range.tiles[t * range.tile_stride], range.weight + row * range.ld, range.ld, columns,
                           offsets, next, steps);
  }
}

VnmStepWriter VnmStepWriterFor(Isa isa) {
#define TWOFOUR_CASE(space, its_isa) \
  if (isa == its_isa) return space::WriteVnmSteps;
  TWOFOUR_FOR_EACH_ISA(TWOFOUR_CASE)
#undef TWOFOUR_CASE
  return WriteVnmSteps;
}

}  // namespace twofour::sparse
#endif
