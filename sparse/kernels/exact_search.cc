// ExactTileMask, a vector of tiles at a time.
#include "twofour/core/kernels/simd_targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/exact_search.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd_table.h"
#include "twofour/sparse/kernels/simd_searches.h"
#include "twofour/sparse/kernels/tile_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

constexpr int kPairs = 6;
constexpr int kPairColumns[kPairs][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};
constexpr int Complement(int pair) { return kPairs - 1 - pair; }
constexpr int PairBits(int pair) { return 1 << kPairColumns[pair][0] | 1 << kPairColumns[pair][1]; }
constexpr int PairOf(int bits) {
  int pair = 0;
  while (PairBits(pair) != bits) ++pair;
  return pair;
}
/// The mask of four rows with these pairs.
constexpr int Bits(int row0, int row1, int row2, int row3) {
  return PairBits(row0) | PairBits(row1) << 4 | PairBits(row2) << 8 | PairBits(row3) << 12;
}

/// For each pair of columns, the sums of the two magnitudes.
using RowSums = FloatVector[kPairs];

// Processors have fewer units that add, compare and choose among floats than do so with integers, or multiply. The bits
// of floats that are not negative are ordered as the floats are, and a product with one is exact, so that some of the
// work can go elsewhere without a different result.

HWY_INLINE IntVector BitsOf(FloatVector sum) { return hn::BitCast(Ints(), sum); }

HWY_INLINE hn::Mask<Ints> IsLarger(FloatVector sum, FloatVector than) { return hn::Gt(BitsOf(sum), BitsOf(than)); }

HWY_INLINE FloatVector LargerOf(FloatVector a, FloatVector b) {
  return hn::BitCast(Floats(), hn::Max(BitsOf(a), BitsOf(b)));
}

HWY_INLINE FloatVector AddByMultiplier(FloatVector a, FloatVector b) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, hn::Set(Floats(), 1.0f), b);
#else
  return hn::Add(a, b);
#endif
}

/// `first` ? a : b, by the instruction for floats where there is one: that for bytes was up to a tenth slower. AVX-512
/// has the same for both, but GCC 12 makes slower code of casts.
HWY_INLINE IntVector Choose(hn::Mask<Ints> first, IntVector a, IntVector b) {
#if HWY_TARGET == HWY_AVX3
  return hn::IfThenElse(first, a, b);
#else
  const Floats floats;
  return BitsOf(hn::IfThenElse(hn::RebindMask(floats, first), hn::BitCast(floats, a), hn::BitCast(floats, b)));
#endif
}

/// The best masks so far.
struct Best {
  HWY_INLINE Best() {}  // See TileVectors.
  FloatVector sum;
  IntVector bits;
  /// Negative where the two upper (lower) rows of `bits` are to be exchanged.
  IntVector swap_upper, swap_lower;
};

/// The best of rows (a, 5-a), as bits of an upper half.
HWY_INLINE void BestOpposite(const RowSums& first, const RowSums& second, FloatVector& best_sum, IntVector& best_bits) {
  const Ints ints;
  best_sum = hn::Add(first[0], second[Complement(0)]);
  best_bits = hn::Set(ints, PairBits(0) | PairBits(Complement(0)) << 4);
  for (int pair = 1; pair < kPairs; ++pair) {
    const FloatVector sum = hn::Add(first[pair], second[Complement(pair)]);
    const auto better = IsLarger(sum, best_sum);
    best_sum = LargerOf(best_sum, sum);
    best_bits = Choose(better, hn::Set(ints, PairBits(pair) | PairBits(Complement(pair)) << 4), best_bits);
  }
}

/// Rows (a, a) over rows (5-a, 5-a).
template <int kPair>
HWY_INLINE void TrySame(const RowSums (&sums)[kTileSize], Best& best) {
  constexpr int kOther = Complement(kPair);
  const FloatVector sum = hn::Add(hn::Add(sums[0][kPair], sums[1][kPair]), hn::Add(sums[2][kOther], sums[3][kOther]));
  const auto better = IsLarger(sum, best.sum);
  best.sum = LargerOf(best.sum, sum);
  best.bits = Choose(better, hn::Set(Ints(), Bits(kPair, kPair, kOther, kOther)), best.bits);
}

/// Column kUpper in both upper rows, kLower in both lower ones, and the other two once in each half.
template <int kUpper, int kLower>
HWY_INLINE void TryCrossed(const RowSums (&sums)[kTileSize], Best& best) {
  constexpr int kRest = 0xF ^ 1 << kUpper ^ 1 << kLower;
  constexpr int kFirst = kRest & -kRest, kSecond = kRest ^ kFirst;
  constexpr int kUpperFirst = PairOf(1 << kUpper | kFirst), kUpperSecond = PairOf(1 << kUpper | kSecond);
  constexpr int kLowerFirst = PairOf(1 << kLower | kFirst), kLowerSecond = PairOf(1 << kLower | kSecond);
  const FloatVector upper = hn::Add(sums[0][kUpperFirst], sums[1][kUpperSecond]);
  const FloatVector upper_swapped = hn::Add(sums[0][kUpperSecond], sums[1][kUpperFirst]);
  const FloatVector lower = AddByMultiplier(sums[2][kLowerFirst], sums[3][kLowerSecond]);
  const FloatVector lower_swapped = AddByMultiplier(sums[2][kLowerSecond], sums[3][kLowerFirst]);
  const FloatVector sum = hn::Add(LargerOf(upper, upper_swapped), LargerOf(lower, lower_swapped));
  const auto better = IsLarger(sum, best.sum);
  best.sum = LargerOf(best.sum, sum);
  best.bits = Choose(better, hn::Set(Ints(), Bits(kUpperFirst, kUpperSecond, kLowerFirst, kLowerSecond)), best.bits);
  best.swap_upper = Choose(better, hn::Sub(BitsOf(upper), BitsOf(upper_swapped)), best.swap_upper);
  best.swap_lower = Choose(better, hn::Sub(BitsOf(lower), BitsOf(lower_swapped)), best.swap_lower);
}

/// `best.bits` with the rows exchanged where they are to be.
HWY_INLINE IntVector WithSwaps(const Best& best) {
  const Ints ints;
  const IntVector row_differences = hn::And(hn::Xor(best.bits, hn::ShiftRight<4>(best.bits)), hn::Set(ints, 0x0F0F));
  const IntVector exchange = hn::Or(row_differences, hn::ShiftLeft<4>(row_differences));
  const IntVector where = hn::Or(hn::And(hn::BroadcastSignBit(best.swap_upper), hn::Set(ints, 0x00FF)),
                                 hn::And(hn::BroadcastSignBit(best.swap_lower), hn::Set(ints, 0xFF00)));
  return hn::Xor(best.bits, hn::And(exchange, where));
}

/// Whether no sum of some of a tile's entries can overflow, in none of the tiles: what is below is far enough from the
/// largest float for the sums' rounding. No entry is a NaN or infinite then.
HWY_INLINE bool AreSmall(const RowSums (&sums)[kTileSize]) {
  FloatVector row[kTileSize];
  for (int r = 0; r < kTileSize; ++r) row[r] = hn::Add(sums[r][0], sums[r][Complement(0)]);
  const FloatVector all = hn::Add(hn::Add(row[0], row[1]), hn::Add(row[2], row[3]));
  const Floats floats;
  return hn::AllTrue(floats, hn::Lt(all, hn::Set(floats, 0x1p127f)));
}

/// The masks of kTilesPerVector tiles, whose sums of pairs of columns these are and which are small.
HWY_INLINE IntVector ExactTileMasks(const RowSums (&sums)[kTileSize]) {
  const Ints ints;
  Best best;
  best.swap_upper = best.swap_lower = hn::Zero(ints);
  FloatVector lower_sum;
  IntVector lower_bits;
  BestOpposite(sums[0], sums[1], best.sum, best.bits);
  BestOpposite(sums[2], sums[3], lower_sum, lower_bits);
  best.sum = hn::Add(best.sum, lower_sum);
  best.bits = hn::Or(best.bits, hn::ShiftLeft<8>(lower_bits));
  TrySame<0>(sums, best);
  TrySame<1>(sums, best);
  TrySame<2>(sums, best);
  TrySame<3>(sums, best);
  TrySame<4>(sums, best);
  TrySame<5>(sums, best);
  TryCrossed<0, 1>(sums, best);
  TryCrossed<0, 2>(sums, best);
  TryCrossed<0, 3>(sums, best);
  TryCrossed<1, 0>(sums, best);
  TryCrossed<1, 2>(sums, best);
  TryCrossed<1, 3>(sums, best);
  TryCrossed<2, 0>(sums, best);
  TryCrossed<2, 1>(sums, best);
  TryCrossed<2, 3>(sums, best);
  TryCrossed<3, 0>(sums, best);
  TryCrossed<3, 1>(sums, best);
  TryCrossed<3, 2>(sums, best);
  return WithSwaps(best);
}

bool ExactSearch(const float* weight, int64_t cols, TileMask* tiles) {
  return ForEachVectorOfTiles(weight, cols, tiles, [](const float* w, int64_t stride, TileMask* out) HWY_ATTR {
    const TileVectors entries = LoadTiles(w, stride);
    RowSums sums[kTileSize];
    for (int row = 0; row < kTileSize; ++row) {
      for (int pair = 0; pair < kPairs; ++pair) {
        sums[row][pair] = hn::Add(entries.entry[row][kPairColumns[pair][0]], entries.entry[row][kPairColumns[pair][1]]);
      }
    }
    if (!AreSmall(sums)) return ExactScalarSearch(w, stride, kTilesPerVector, out);
    StoreTiles(ExactTileMasks(sums), out);
    return true;
  });
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {

MaskSearchKernel ExactSearchKernel() {
  return SimdSearch(MaskAlgorithm::kExact, HWY_TARGET, kTilesPerVector, &ExactSearch);
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
namespace twofour::sparse {

std::vector<MaskSearchKernel> ExactSearches() {
#define TWOFOUR_KERNEL_OF(NAMESPACE, TARGET) NAMESPACE::ExactSearchKernel(),
  return {TWOFOUR_FOR_EACH_TARGET(TWOFOUR_KERNEL_OF)};
#undef TWOFOUR_KERNEL_OF
}

}  // namespace twofour::sparse
#endif
