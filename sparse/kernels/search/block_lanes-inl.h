// Blocks of a V:N:M mask, one in each lane, for searches of their columns (see vnm_choice.h). Compiled once for each
// instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_SEARCH_BLOCK_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_SEARCH_BLOCK_LANES_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_SEARCH_BLOCK_LANES_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_SEARCH_BLOCK_LANES_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "twofour/core/ceil_div.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/kernels/search/group_columns-inl.h"
#include "twofour/sparse/kernels/search/vnm_choice.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {

/// The rows that the inner step looks at together, and what it needs to know of a column there: features, each with a
/// value for every lane.
template <VnmInner kInner>
struct Unit;

/// Four rows. With the differences of ExactTileMask, the gain of a pair of columns is the larger of "crossed" and
/// "halves".
template <>
struct Unit<VnmInner::kTransposable> {
  static constexpr int64_t kRows = kTileSize, kFeatures = 3;

  struct Column {
    HWY_INLINE Column() {}  // See TileRow.
    FloatVector upper, lower, halves;
  };
  static HWY_INLINE Column Load(const float* features) {
    Column column;
    column.upper = hn::Load(Floats(), features);
    column.lower = hn::Load(Floats(), features + kGroupLanes);
    column.halves = hn::Load(Floats(), features + 2 * kGroupLanes);
    return column;
  }
  static HWY_INLINE FloatVector PairGain(const Column& a, const Column& b) {
    const FloatVector crossed = hn::Add(hn::Abs(hn::Sub(a.upper, b.upper)), hn::Abs(hn::Sub(a.lower, b.lower)));
    return hn::Max(crossed, hn::Abs(hn::Sub(a.halves, b.halves)));
  }
  /// The features of four magnitudes of a column.
  static HWY_INLINE void Store(const FloatVector (&x)[kTileSize], int64_t, float* features) {
    hn::Store(hn::Sub(x[0], x[1]), Floats(), features);
    hn::Store(hn::Sub(x[2], x[3]), Floats(), features + kGroupLanes);
    hn::Store(hn::Sub(hn::Add(x[0], x[1]), hn::Add(x[2], x[3])), Floats(), features + 2 * kGroupLanes);
  }
};

/// One row. A pair of columns keeps its larger entry.
template <>
struct Unit<VnmInner::kRows> {
  static constexpr int64_t kRows = 1, kFeatures = 1;

  struct Column {
    HWY_INLINE Column() {}  // See TileRow.
    FloatVector magnitude;
  };
  static HWY_INLINE Column Load(const float* features) {
    Column column;
    column.magnitude = hn::Load(Floats(), features);
    return column;
  }
  static HWY_INLINE FloatVector PairGain(const Column& a, const Column& b) {
    return hn::Abs(hn::Sub(a.magnitude, b.magnitude));
  }
  static HWY_INLINE void Store(const FloatVector (&x)[kTileSize], int64_t unit_stride, float* features) {
    for (int row = 0; row < kTileSize; ++row) hn::Store(x[row], Floats(), features + row * unit_stride);
  }
};

/// Up to kGroupLanes blocks.
template <VnmInner kInner>
class BlockLanes {
 public:
  using OfUnit = Unit<kInner>;

  /// Has room for kGroupLanes of these blocks at a time.
  HWY_INLINE explicit BlockLanes(const BlockRow& blocks)
      : blocks_(blocks),
        m_(blocks.m),
        units_(RoundUp(blocks.rows, kTileSize) / OfUnit::kRows),
        room_(Tensor::Empty({units_ * m_ * OfUnit::kFeatures * kGroupLanes})),
        features_(room_.template mutable_data<float>()) {}

  /// Reads `count` blocks from number `group` on. The other lanes are zero.
  HWY_INLINE void Load(int64_t group, int64_t count) {
    for (int col = 0; col < m_; ++col) hn::Store(hn::Zero(Floats()), Floats(), sums_[col]);
    GroupColumns rows[kTileSize] = {};
    for (int64_t row = 0; row < blocks_.rows; row += kTileSize) {
      Fetch(row + kTileSize, group, count);
      for (int64_t r = 0; r < kTileSize; ++r) {
        if (row + r < blocks_.rows) {
          rows[r].CopyFrom(blocks_.scores + (row + r) * blocks_.stride + group * m_, count, m_);
        } else {
          rows[r] = {};
        }
      }
      for (int col = 0; col < m_; ++col) {
        FloatVector x[kTileSize];
        FloatVector sum = hn::Load(Floats(), sums_[col]);
        for (int r = 0; r < kTileSize; ++r) {
          x[r] = hn::Abs(hn::Load(Floats(), rows[r].entry[col]));
          sum = hn::Add(sum, x[r]);
        }
        hn::Store(sum, Floats(), sums_[col]);
        OfUnit::Store(x, m_ * OfUnit::kFeatures * kGroupLanes, features_ + FeaturesAt(row / OfUnit::kRows, col));
      }
    }
  }

  int m() const { return m_; }
  int64_t units() const { return units_; }
  HWY_INLINE FloatVector Sum(int col) const { return hn::Load(Floats(), sums_[col]); }
  HWY_INLINE typename OfUnit::Column Column(int64_t unit, int col) const {
    return OfUnit::Load(features_ + FeaturesAt(unit, col));
  }
  /// Feature `feature` of a column in one lane.
  float FeatureOf(int64_t unit, int col, int64_t feature, int64_t lane) const {
    return features_[FeaturesAt(unit, col) + feature * kGroupLanes + lane];
  }

  /// The choice by sums.
  HWY_INLINE IntVector BitsBySums() const {
    FloatVector sums[kMostInGroup];
    for (int col = 0; col < m_; ++col) sums[col] = Sum(col);
    return BitsOfLargest(sums, VnmPattern::kColumns, m_);
  }
  /// Lanes in which all sums, and so all that is computed from them, are far from overflow. False for NaN.
  HWY_INLINE hn::Mask<Floats> AreBounded() const {
    const FloatVector bound = hn::Set(Floats(), 0x1p124f);
    hn::Mask<Floats> bounded = hn::Lt(Sum(0), bound);
    for (int col = 1; col < m_; ++col) bounded = hn::And(bounded, hn::Lt(Sum(col), bound));
    return bounded;
  }

 private:
  /// Fetches four rows into the cache, because they are too short for the processor to foresee the next ones.
  HWY_INLINE void Fetch(int64_t first, int64_t group, int64_t count) const {
    constexpr int64_t kLine = 64 / sizeof(float);
    for (int64_t row = first; row < std::min(first + kTileSize, blocks_.rows); ++row) {
      const float* const scores = blocks_.scores + row * blocks_.stride + group * m_;
      for (int64_t col = 0; col < count * m_; col += kLine) hwy::Prefetch(scores + col);
    }
  }
  int64_t FeaturesAt(int64_t unit, int col) const { return (unit * m_ + col) * OfUnit::kFeatures * kGroupLanes; }

  const BlockRow& blocks_;
  int m_;
  int64_t units_;
  Tensor room_;
  float* features_;
  alignas(64) float sums_[kMostInGroup][kGroupLanes];
};

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_SEARCH_BLOCK_LANES_INL_H_
