// GreedyTileMask for a vector of tiles at a time.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/search/greedy_search.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <utility>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/sparse/kernels/search/simd_searches.h"
#include "twofour/sparse/kernels/search/tile_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

constexpr int kEntries = kTileSize * kTileSize;
constexpr int kMostKept = 8;

/// One entry of each tile. `magnitude` is its magnitude as an int, or -1 if it cannot be kept any more. `bit` is its
/// bit in the mask.
struct Candidate {
  IntVector magnitude, bit;
};

/// The larger of two, or the first if they are equal.
HWY_INLINE Candidate Larger(const Candidate& first, const Candidate& second) {
  const auto second_is = hn::Gt(second.magnitude, first.magnitude);
  return {hn::Max(first.magnitude, second.magnitude), hn::IfThenElse(second_is, second.bit, first.bit)};
}

/// The largest of entries [kBegin, kBegin + kCount), or the first of those that are equal.
template <int kBegin, int kCount>
HWY_INLINE Candidate Largest(const IntVector (&magnitudes)[kEntries]) {
  if constexpr (kCount == 1) {
    return {magnitudes[kBegin], hn::Set(Ints(), 1 << kBegin)};
  } else {
    return Larger(Largest<kBegin, kCount / 2>(magnitudes), Largest<kBegin + kCount / 2, kCount / 2>(magnitudes));
  }
}

/// The entries that cannot be kept any more: those that are kept already, and all in rows and columns that hold two.
HWY_INLINE IntVector Closed(IntVector kept) {
  const Ints ints;
  // Two of four bits are set if both bits of one pair are, or one bit of each pair.
  const IntVector next = hn::ShiftRight<1>(kept);
  const IntVector both_in_row = hn::And(hn::And(kept, next), hn::Set(ints, 0x5555));
  const IntVector one_in_row = hn::And(hn::Or(kept, next), hn::Set(ints, 0x5555));
  const IntVector full_rows = hn::And(
      hn::Or(hn::Or(both_in_row, hn::ShiftRight<2>(both_in_row)), hn::And(one_in_row, hn::ShiftRight<2>(one_in_row))),
      hn::Set(ints, 0x1111));
  const IntVector rows = hn::Sub(hn::ShiftLeft<4>(full_rows), full_rows);

  const IntVector lower_half = hn::ShiftRight<8>(kept);
  const IntVector both_in_col = hn::And(kept, lower_half);
  const IntVector one_in_col = hn::Or(kept, lower_half);
  const IntVector full_cols = hn::And(
      hn::Or(hn::Or(both_in_col, hn::ShiftRight<4>(both_in_col)), hn::And(one_in_col, hn::ShiftRight<4>(one_in_col))),
      hn::Set(ints, 0x000F));
  const IntVector two_rows_of_cols = hn::Or(full_cols, hn::ShiftLeft<4>(full_cols));
  const IntVector cols = hn::Or(two_rows_of_cols, hn::ShiftLeft<8>(two_rows_of_cols));
  return hn::Or(kept, hn::Or(rows, cols));
}

/// Replaces the entries whose bit is set in `closed` by -1. Shifts bring the bit to the sign. A test would need a
/// constant for each entry, which costs more.
template <size_t... kEntry>
HWY_INLINE void Close(IntVector closed, std::index_sequence<kEntry...>, IntVector (&magnitudes)[kEntries]) {
  ((magnitudes[kEntry] = hn::Or(magnitudes[kEntry], hn::BroadcastSignBit(hn::ShiftLeft<31 - kEntry>(closed)))), ...);
}

/// The masks of kTilesPerVector tiles. `finite` becomes true if all entries are finite. Nothing is added up here, so
/// nothing can overflow.
HWY_INLINE IntVector GreedyTileMasks(const float* weight, int64_t stride, bool& finite) {
  const Ints ints;
  constexpr int32_t kInfinity = 0x7F800000;  // The bits of infinity. Those of a NaN are larger.
  // Floats that are not negative have the same order as their bits.
  IntVector magnitudes[kEntries];
  for (int row = 0; row < kTileSize; ++row) {
    const TileRow columns = ByColumn(LoadMagnitudes(weight + row * stride));
    for (int col = 0; col < kTileSize; ++col) {
      magnitudes[kTileSize * row + col] = hn::BitCast(ints, columns.vector[col]);
    }
  }
  IntVector kept = hn::Zero(ints);
  for (int round = 0; round < kMostKept; ++round) {
    const Candidate largest = Largest<0, kEntries>(magnitudes);
    if (round == 0) finite = hn::AllTrue(ints, hn::Lt(largest.magnitude, hn::Set(ints, kInfinity)));
    kept = hn::Or(kept, hn::AndNot(hn::BroadcastSignBit(largest.magnitude), largest.bit));
    Close(Closed(kept), std::make_index_sequence<kEntries>(), magnitudes);
  }
  return kept;
}

bool GreedySearch(const float* weight, int64_t cols, TileMask* tiles) {
  return ForEachVectorOfTiles(weight, cols, tiles, [](const float* w, int64_t stride, TileMask* out) HWY_ATTR {
    bool finite = true;
    StoreTiles(GreedyTileMasks(w, stride, finite), out);
    return finite;
  });
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {

MaskSearchKernel GreedySearchKernel() {
  return SimdSearch(MaskMethod::kGreedy, IsaOf(HWY_TARGET), kTilesPerVector, &GreedySearch);
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
namespace twofour::sparse {

std::vector<MaskSearchKernel> GreedySearches() {
#define TWOFOUR_KERNEL_OF(NAMESPACE, ISA) NAMESPACE::GreedySearchKernel(),
  return {TWOFOUR_FOR_EACH_ISA(TWOFOUR_KERNEL_OF)};
#undef TWOFOUR_KERNEL_OF
}

}  // namespace twofour::sparse
#endif
