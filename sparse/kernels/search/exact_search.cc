// ExactTileMask for a vector of tiles at a time.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/search/exact_search.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/sparse/kernels/search/simd_searches.h"
#include "twofour/sparse/kernels/search/tile_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

// Processors have more units for multiplications and for integers than units that add, compare and select floats.
// Floats that are not negative have the same order as their bits, and multiplying by 1 is exact. So some of the work
// can go to the other units without a different result.

HWY_INLINE IntVector BitsOf(FloatVector sum) { return hn::BitCast(Ints(), sum); }

HWY_INLINE hn::Mask<Ints> IsLarger(FloatVector sum, FloatVector than) { return hn::Gt(BitsOf(sum), BitsOf(than)); }

HWY_INLINE FloatVector LargerOf(FloatVector a, FloatVector b) {
  return hn::BitCast(Floats(), hn::Max(BitsOf(a), BitsOf(b)));
}

HWY_INLINE FloatVector SubByMultiplier(FloatVector a, FloatVector b) {
#if HWY_NATIVE_FMA
  return hn::MulSub(a, hn::Set(Floats(), 1.0f), b);
#else
  return hn::Sub(a, b);
#endif
}

/// The differences that ExactTileMask looks at, by column (see sparse/tile_mask.h).
struct ColumnDifferences {
  HWY_INLINE ColumnDifferences() {}  // See TileRow.
  TileRow upper, lower, halves;
};

/// Two rows, one below the other.
struct RowPair {
  HWY_INLINE RowPair() {}  // See TileRow.
  TileRow sums, differences;
};

HWY_INLINE RowPair LoadRowPair(const float* weight, int64_t stride) {
  const TileRow upper = LoadMagnitudes(weight), lower = LoadMagnitudes(weight + stride);
  RowPair pair;
  for (int i = 0; i < kTileSize; ++i) {
    pair.sums.vector[i] = hn::Add(upper.vector[i], lower.vector[i]);
    pair.differences.vector[i] = SubByMultiplier(upper.vector[i], lower.vector[i]);
  }
  return pair;
}

/// Reads kTilesPerVector tiles. `largest_sum` becomes the largest sum of a column of a tile, as an integer, so that a
/// NaN counts as the largest.
HWY_INLINE ColumnDifferences DifferencesOf(const float* weight, int64_t stride, IntVector& largest_sum) {
  ColumnDifferences columns;
  const RowPair upper = LoadRowPair(weight, stride);
  columns.upper = ByColumn(upper.differences);
  const RowPair lower = LoadRowPair(weight + 2 * stride, stride);
  columns.lower = ByColumn(lower.differences);
  TileRow halves;
  largest_sum = hn::Zero(Ints());
  for (int i = 0; i < kTileSize; ++i) {
    halves.vector[i] = SubByMultiplier(upper.sums.vector[i], lower.sums.vector[i]);
    largest_sum = hn::Max(largest_sum, BitsOf(hn::Add(upper.sums.vector[i], lower.sums.vector[i])));
  }
  columns.halves = ByColumn(halves);
  return columns;
}

/// By how much columns a and b differ.
struct PairDifferences {
  HWY_INLINE PairDifferences() {}  // See TileRow.
  FloatVector upper, lower, halves;
};

HWY_INLINE FloatVector Crossed(const PairDifferences& pair) {
  return hn::Add(hn::Abs(pair.upper), hn::Abs(pair.lower));
}

/// A way to split the columns into two pairs. Its gain is what it keeps less what it drops.
struct Way {
  HWY_INLINE Way() {}  // See TileRow.
  PairDifferences first, second;
  FloatVector gain;
};

template <int kA, int kB>
HWY_INLINE PairDifferences DifferencesBetween(const ColumnDifferences& columns) {
  PairDifferences pair;
  pair.upper = hn::Sub(columns.upper.vector[kA], columns.upper.vector[kB]);
  pair.lower = SubByMultiplier(columns.lower.vector[kA], columns.lower.vector[kB]);
  pair.halves = SubByMultiplier(columns.halves.vector[kA], columns.halves.vector[kB]);
  return pair;
}

HWY_INLINE FloatVector GainOf(const PairDifferences& pair) { return LargerOf(hn::Abs(pair.halves), Crossed(pair)); }

/// The way that pairs columns 0 and kPartner, and the other two.
template <int kPartner>
HWY_INLINE Way WayOf(const ColumnDifferences& columns) {
  constexpr int kA = kPartner == 1 ? 2 : 1, kB = 6 - kPartner - kA;
  Way way;
  way.first = DifferencesBetween<0, kPartner>(columns);
  way.second = DifferencesBetween<kA, kB>(columns);
  way.gain = hn::Add(GainOf(way.first), GainOf(way.second));
  return way;
}

HWY_INLINE PairDifferences Choose(hn::Mask<Floats> first, const PairDifferences& a, const PairDifferences& b) {
  PairDifferences chosen;
  chosen.upper = hn::IfThenElse(first, a.upper, b.upper);
  chosen.lower = hn::IfThenElse(first, a.lower, b.lower);
  chosen.halves = hn::IfThenElse(first, a.halves, b.halves);
  return chosen;
}

/// A mask with all four bits set of each row that keeps the first column of the pair.
HWY_INLINE IntVector RowsOfFirst(const PairDifferences& pair) {
  const Ints ints;
  const auto negative = [](FloatVector difference) HWY_ATTR { return hn::BroadcastSignBit(BitsOf(difference)); };
  const IntVector crossed =
      hn::Xor(hn::Set(ints, 0x0F0F), hn::Or(hn::And(negative(pair.upper), hn::Set(ints, 0x00FF)),
                                            hn::And(negative(pair.lower), hn::Set(ints, 0xFF00))));
  const IntVector halves = hn::Xor(hn::Set(ints, 0x00FF), hn::And(negative(pair.halves), hn::Set(ints, 0xFFFF)));
  return hn::IfThenElse(IsLarger(hn::Abs(pair.halves), Crossed(pair)), halves, crossed);
}

/// The best way of each tile so far, and the columns that it pairs.
struct Best {
  HWY_INLINE Best() {}  // See TileRow.
  Way way;
  FloatVector first_pair, second_columns;
};

HWY_INLINE FloatVector Columns(int bits) { return hn::BitCast(Floats(), hn::Set(Ints(), 0x1111 * bits)); }

template <int kPartner>
HWY_INLINE void Try(const ColumnDifferences& columns, Best& best) {
  const Way way = WayOf<kPartner>(columns);
  const auto better = hn::RebindMask(Floats(), IsLarger(way.gain, best.way.gain));
  best.way.first = Choose(better, way.first, best.way.first);
  best.way.second = Choose(better, way.second, best.way.second);
  best.way.gain = LargerOf(way.gain, best.way.gain);
  best.first_pair = hn::IfThenElse(better, Columns(1 | 1 << kPartner), best.first_pair);
  best.second_columns = hn::IfThenElse(better, Columns(0b1100), best.second_columns);
}

/// The masks of kTilesPerVector tiles. None of them may be so large that its sums overflow.
HWY_INLINE IntVector ExactTileMasks(const ColumnDifferences& columns) {
  Best best;
  best.way = WayOf<1>(columns);
  best.first_pair = Columns(0b0011);
  best.second_columns = Columns(0b1010);
  Try<2>(columns, best);
  Try<3>(columns, best);
  // From each pair, a row keeps either the first or the second column.
  const IntVector in_first = RowsOfFirst(best.way.first), in_second = RowsOfFirst(best.way.second);
  const IntVector other = hn::Xor(in_second, hn::And(hn::Xor(in_first, in_second), BitsOf(best.first_pair)));
  return hn::Xor(other, BitsOf(best.second_columns));
}

bool ExactSearch(const float* weight, int64_t cols, TileMask* tiles) {
  return ForEachVectorOfTiles(weight, cols, tiles, [](const float* w, int64_t stride, TileMask* out) HWY_ATTR {
    IntVector largest_sum;
    StoreTiles(ExactTileMasks(DifferencesOf(w, stride, largest_sum)), out);
    // This is far enough below the largest float for all sums of a tile and their rounding.
    const IntVector bound = BitsOf(hn::Set(Floats(), 0x1p125f));
    return hn::AllTrue(Ints(), hn::Lt(largest_sum, bound)) || ExactScalarSearch(w, stride, kTilesPerVector, out);
  });
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {

MaskSearchKernel ExactSearchKernel() {
  return SimdSearch(MaskMethod::kExact, IsaOf(HWY_TARGET), kTilesPerVector, &ExactSearch);
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
namespace twofour::sparse {

std::vector<MaskSearchKernel> ExactSearches() {
#define TWOFOUR_KERNEL_OF(NAMESPACE, ISA) NAMESPACE::ExactSearchKernel(),
  return {TWOFOUR_FOR_EACH_ISA(TWOFOUR_KERNEL_OF)};
#undef TWOFOUR_KERNEL_OF
}

}  // namespace twofour::sparse
#endif
