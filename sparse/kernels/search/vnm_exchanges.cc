#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <cstdint>

#include "twofour/sparse/kernels/search/vnm_choice.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/search/vnm_exchanges.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/sparse/kernels/search/block_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

constexpr int kFour = VnmPattern::kColumns;

/// The four columns that each lane keeps so far, in ascending order.
template <VnmInner kInner>
class KeptColumns {
 public:
  using OfUnit = Unit<kInner>;

  HWY_INLINE explicit KeptColumns(const BlockLanes<kInner>& lanes)
      : lanes_(lanes),
        room_(Tensor::Empty({lanes.units() * kFour * OfUnit::kFeatures * kGroupLanes})),
        features_(room_.template mutable_data<float>()) {}

  /// Takes the first four columns of `bits`, and the first others if these are fewer (because of a NaN).
  void Set(int64_t lane, uint32_t bits) {
    int taken = 0;
    for (const uint32_t is_set : {1u, 0u}) {
      for (int col = 0; col < lanes_.m() && taken < kFour; ++col) {
        if ((bits >> col & 1) == is_set) columns_[taken++][lane] = col;
      }
    }
    for (int64_t unit = 0; unit < lanes_.units(); ++unit) {
      for (int i = 0; i < kFour; ++i) {
        for (int64_t feature = 0; feature < OfUnit::kFeatures; ++feature) {
          features_[FeaturesAt(unit, i) + feature * kGroupLanes + lane] =
              lanes_.FeatureOf(unit, columns_[i][lane], feature, lane);
        }
      }
    }
  }

  uint32_t BitsOf(int64_t lane) const {
    uint32_t bits = 0;
    for (const auto& column : columns_) bits |= 1u << column[lane];
    return bits;
  }
  /// The number of the i-th column.
  HWY_INLINE IntVector Number(int i) const { return hn::Load(Ints(), columns_[i]); }
  HWY_INLINE typename OfUnit::Column Column(int64_t unit, int i) const {
    return OfUnit::Load(features_ + FeaturesAt(unit, i));
  }

 private:
  int64_t FeaturesAt(int64_t unit, int i) const { return (unit * kFour + i) * OfUnit::kFeatures * kGroupLanes; }

  const BlockLanes<kInner>& lanes_;
  Tensor room_;
  float* features_;
  alignas(64) int32_t columns_[kFour][kGroupLanes];
};

/// What each column is worth beside three of the kept ones, all but number i: [column][i].
struct Worths {
  alignas(64) float worth[kMostInGroup][kFour][kGroupLanes];

  HWY_INLINE FloatVector At(int col, int i) const { return hn::Load(Floats(), worth[col][i]); }
  HWY_INLINE void Add(int col, int i, FloatVector more) {
    hn::Store(hn::Add(At(col, i), more), Floats(), worth[col][i]);
  }
};

HWY_INLINE FloatVector BestOfWays(FloatVector a, FloatVector b, FloatVector c) { return hn::Max(hn::Max(a, b), c); }

HWY_INLINE void FindWorths(const BlockLanes<VnmInner::kTransposable>& lanes,
                           const KeptColumns<VnmInner::kTransposable>& kept, Worths& worths) {
  using OfUnit = Unit<VnmInner::kTransposable>;
  for (int col = 0; col < lanes.m(); ++col) {
    for (int i = 0; i < kFour; ++i) hn::Store(hn::Zero(Floats()), Floats(), worths.worth[col][i]);
  }
  for (int64_t unit = 0; unit < lanes.units(); ++unit) {
    const auto k0 = kept.Column(unit, 0), k1 = kept.Column(unit, 1), k2 = kept.Column(unit, 2),
               k3 = kept.Column(unit, 3);
    const FloatVector k01 = OfUnit::PairGain(k0, k1), k02 = OfUnit::PairGain(k0, k2), k03 = OfUnit::PairGain(k0, k3),
                      k12 = OfUnit::PairGain(k1, k2), k13 = OfUnit::PairGain(k1, k3), k23 = OfUnit::PairGain(k2, k3);
    for (int col = 0; col < lanes.m(); ++col) {
      const auto x = lanes.Column(unit, col);
      const FloatVector x0 = OfUnit::PairGain(x, k0), x1 = OfUnit::PairGain(x, k1), x2 = OfUnit::PairGain(x, k2),
                        x3 = OfUnit::PairGain(x, k3);
      worths.Add(col, 0, BestOfWays(hn::Add(x1, k23), hn::Add(x2, k13), hn::Add(x3, k12)));
      worths.Add(col, 1, BestOfWays(hn::Add(x0, k23), hn::Add(x2, k03), hn::Add(x3, k02)));
      worths.Add(col, 2, BestOfWays(hn::Add(x0, k13), hn::Add(x1, k03), hn::Add(x3, k01)));
      worths.Add(col, 3, BestOfWays(hn::Add(x0, k12), hn::Add(x1, k02), hn::Add(x2, k01)));
    }
  }
  for (int col = 0; col < lanes.m(); ++col) {
    for (int i = 0; i < kFour; ++i) worths.Add(col, i, lanes.Sum(col));
  }
}

HWY_INLINE FloatVector SecondOf(FloatVector a, FloatVector b, FloatVector c) {
  return hn::Max(hn::Min(a, b), hn::Min(hn::Max(a, b), c));
}

HWY_INLINE void FindWorths(const BlockLanes<VnmInner::kRows>& lanes, const KeptColumns<VnmInner::kRows>& kept,
                           Worths& worths) {
  for (int col = 0; col < lanes.m(); ++col) {
    for (int i = 0; i < kFour; ++i) hn::Store(hn::Zero(Floats()), Floats(), worths.worth[col][i]);
  }
  for (int64_t row = 0; row < lanes.units(); ++row) {
    const FloatVector k0 = kept.Column(row, 0).magnitude, k1 = kept.Column(row, 1).magnitude,
                      k2 = kept.Column(row, 2).magnitude, k3 = kept.Column(row, 3).magnitude;
    const FloatVector second0 = SecondOf(k1, k2, k3), second1 = SecondOf(k0, k2, k3), second2 = SecondOf(k0, k1, k3),
                      second3 = SecondOf(k0, k1, k2);
    const auto excess = [](FloatVector x, FloatVector second)
                            HWY_ATTR { return hn::Max(hn::Sub(x, second), hn::Zero(Floats())); };
    for (int col = 0; col < lanes.m(); ++col) {
      const FloatVector x = lanes.Column(row, col).magnitude;
      worths.Add(col, 0, excess(x, second0));
      worths.Add(col, 1, excess(x, second1));
      worths.Add(col, 2, excess(x, second2));
      worths.Add(col, 3, excess(x, second3));
    }
  }
}

/// The best exchange of each lane.
struct Exchange {
  alignas(64) int32_t new_column[kGroupLanes];
  alignas(64) int32_t old_column[kGroupLanes];  // Negative where no exchange gains anything.
};

template <VnmInner kInner>
HWY_INLINE void FindExchange(const BlockLanes<kInner>& lanes, const KeptColumns<kInner>& kept, const Worths& worths,
                             Exchange& exchange) {
  const Floats floats;
  const Ints ints;
  FloatVector old_worth[kFour];
  IntVector number[kFour];
  for (int i = 0; i < kFour; ++i) {
    number[i] = kept.Number(i);
    old_worth[i] = hn::Zero(floats);
    for (int col = 0; col < lanes.m(); ++col) {
      const auto is_old = hn::RebindMask(floats, hn::Eq(number[i], hn::Set(ints, col)));
      old_worth[i] = hn::IfThenElse(is_old, worths.At(col, i), old_worth[i]);
    }
  }
  FloatVector most = hn::Zero(floats);
  IntVector new_column = hn::Zero(ints), old_column = hn::Set(ints, -1);
  const auto bounded = lanes.AreBounded();
  for (int col = 0; col < lanes.m(); ++col) {
    const IntVector column = hn::Set(ints, col);
    const auto is_kept = hn::Or(hn::Or(hn::Eq(column, number[0]), hn::Eq(column, number[1])),
                                hn::Or(hn::Eq(column, number[2]), hn::Eq(column, number[3])));
    const auto may_be_new = hn::AndNot(hn::RebindMask(floats, is_kept), bounded);
    for (int i = 0; i < kFour; ++i) {
      const FloatVector growth = hn::IfThenElseZero(may_be_new, hn::Sub(worths.At(col, i), old_worth[i]));
      const auto better = hn::Gt(growth, most);
      most = hn::IfThenElse(better, growth, most);
      new_column = hn::IfThenElse(hn::RebindMask(ints, better), column, new_column);
      old_column = hn::IfThenElse(hn::RebindMask(ints, better), number[i], old_column);
    }
  }
  hn::Store(new_column, ints, exchange.new_column);
  hn::Store(old_column, ints, exchange.old_column);
}

template <VnmInner kInner>
void ChooseByExchangesAs(const BlockRow& blocks, uint32_t* chosen) {
  BlockLanes<kInner> lanes(blocks);
  KeptColumns<kInner> kept(lanes);
  Worths worths;
  Exchange exchange;
  for (int64_t group = 0; group < blocks.groups; group += kGroupLanes) {
    const int64_t count = std::min(kGroupLanes, blocks.groups - group);
    lanes.Load(group, count);
    alignas(64) int32_t by_sums[kGroupLanes];
    hn::Store(lanes.BitsBySums(), Ints(), by_sums);
    for (int64_t lane = 0; lane < kGroupLanes; ++lane) kept.Set(lane, static_cast<uint32_t>(by_sums[lane]));
    bool changed = true;
    for (int i = 0; i < kMostExchanges && changed; ++i) {
      FindWorths(lanes, kept, worths);
      FindExchange(lanes, kept, worths, exchange);
      changed = false;
      for (int64_t lane = 0; lane < count; ++lane) {
        if (exchange.old_column[lane] < 0) continue;
        kept.Set(lane, (kept.BitsOf(lane) & ~(1u << exchange.old_column[lane])) | 1u << exchange.new_column[lane]);
        changed = true;
      }
    }
    for (int64_t lane = 0; lane < count; ++lane) chosen[group + lane] = kept.BitsOf(lane);
  }
}

void ChooseByExchanges(const BlockRow& blocks, VnmInner inner, uint32_t* chosen) {
  inner == VnmInner::kRows ? ChooseByExchangesAs<VnmInner::kRows>(blocks, chosen)
                           : ChooseByExchangesAs<VnmInner::kTransposable>(blocks, chosen);
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::sparse {

HWY_EXPORT(ChooseByExchanges);

void ChooseByExchanges(const BlockRow& blocks, VnmInner inner, uint32_t* chosen) {
  TWOFOUR_DYNAMIC_DISPATCH(ChooseByExchanges)(blocks, inner, chosen);
}

}  // namespace twofour::sparse
#endif
