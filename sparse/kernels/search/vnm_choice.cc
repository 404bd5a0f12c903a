#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <cmath>
#include <vector>

#include "twofour/sparse/kernels/search/vnm_choice.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/search/vnm_choice.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/sparse/kernels/search/block_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

constexpr int kFour = VnmPattern::kColumns;

HWY_INLINE void StoreBits(IntVector bits, int64_t count, uint32_t* chosen) {
  alignas(64) int32_t lanes[kGroupLanes];
  hn::Store(bits, Ints(), lanes);
  for (int64_t lane = 0; lane < count; ++lane) chosen[lane] = static_cast<uint32_t>(lanes[lane]);
}

/// sums[c] += the magnitudes of column c in kRows rows.
template <int kRows>
HWY_INLINE void AddMagnitudes(const float* scores, int64_t stride, int64_t cols, float* sums) {
  int64_t col = 0;
  for (; col + kGroupLanes <= cols; col += kGroupLanes) {
    FloatVector sum = hn::LoadU(Floats(), sums + col);
    for (int r = 0; r < kRows; ++r) sum = hn::Add(sum, hn::Abs(hn::LoadU(Floats(), scores + r * stride + col)));
    hn::StoreU(sum, Floats(), sums + col);
  }
  for (; col < cols; ++col) {
    for (int r = 0; r < kRows; ++r) sums[col] += std::fabs(scores[r * stride + col]);
  }
}

void ChooseBySums(const BlockRow& blocks, uint32_t* chosen) {
  const int64_t cols = blocks.groups * blocks.m;
  std::vector<float> sums(static_cast<size_t>(cols));
  int64_t row = 0;
  for (; row + kTileSize <= blocks.rows; row += kTileSize) {
    AddMagnitudes<kTileSize>(blocks.scores + row * blocks.stride, blocks.stride, cols, sums.data());
  }
  for (; row < blocks.rows; ++row) {
    AddMagnitudes<1>(blocks.scores + row * blocks.stride, blocks.stride, cols, sums.data());
  }
  GroupColumns columns = {};
  for (int64_t group = 0; group < blocks.groups; group += kGroupLanes) {
    const int64_t count = std::min(kGroupLanes, blocks.groups - group);
    columns.CopyFrom(sums.data() + group * blocks.m, count, blocks.m);
    FloatVector of_columns[kMostInGroup];
    for (int i = 0; i < blocks.m; ++i) of_columns[i] = hn::Load(Floats(), columns.entry[i]);
    StoreBits(BitsOfLargest(of_columns, kFour, blocks.m), count, chosen + group);
  }
}

/// Calls search(lanes) -> IntVector for kGroupLanes blocks at a time.
template <VnmInner kInner, typename Search>
HWY_INLINE void ForEachLanes(const BlockRow& blocks, uint32_t* chosen, Search search) {
  BlockLanes<kInner> lanes(blocks);
  for (int64_t group = 0; group < blocks.groups; group += kGroupLanes) {
    const int64_t count = std::min(kGroupLanes, blocks.groups - group);
    lanes.Load(group, count);
    StoreBits(search(lanes), count, chosen + group);
  }
}

/// All choices of four columns, in lexicographic order: calls visit(number, a, b, c) for each choice of the first
/// three. The next m - 1 - c numbers are those of the choices with another d, from c + 1 on.
template <typename Visit>
HWY_INLINE void ForEachTriple(int m, Visit visit) {
  int64_t number = 0;
  for (int a = 0; a < m; ++a) {
    for (int b = a + 1; b < m; ++b) {
      for (int c = b + 1; c < m; ++c) {
        visit(number, a, b, c);
        number += m - 1 - c;
      }
    }
  }
}

constexpr int64_t CountChoices(int64_t m) { return m * (m - 1) * (m - 2) * (m - 3) / 24; }

/// Adds to gains[number] what each choice gains in one unit: the best of three ways to pair its columns.
template <VnmInner kInner>
HWY_INLINE void AddGains(const BlockLanes<kInner>& lanes, int64_t unit, float* gains) {
  const Floats floats;
  const int m = lanes.m();
  alignas(64) float pairs[kMostExactColumns][kMostExactColumns][kGroupLanes];
  for (int a = 0; a < m; ++a) {
    const auto first = lanes.Column(unit, a);
    for (int b = a + 1; b < m; ++b) {
      hn::Store(Unit<kInner>::PairGain(first, lanes.Column(unit, b)), floats, pairs[a][b]);
    }
  }
  const auto pair = [&pairs](int a, int b) HWY_ATTR { return hn::Load(Floats(), pairs[a][b]); };
  ForEachTriple(m, [&](int64_t number, int a, int b, int c) HWY_ATTR {
    const FloatVector ab = pair(a, b), ac = pair(a, c), bc = pair(b, c);
    float* sum = gains + number * kGroupLanes;
    for (int d = c + 1; d < m; ++d, sum += kGroupLanes) {
      const FloatVector gain =
          hn::Max(hn::Max(hn::Add(ab, pair(c, d)), hn::Add(ac, pair(b, d))), hn::Add(bc, pair(a, d)));
      hn::Store(hn::Add(hn::Load(floats, sum), gain), floats, sum);
    }
  });
}

template <VnmInner kInner>
HWY_INLINE IntVector BestOfAll(const BlockLanes<kInner>& lanes, float* gains) {
  const Floats floats;
  const int m = lanes.m();
  std::fill_n(gains, CountChoices(m) * kGroupLanes, 0.0f);
  for (int64_t unit = 0; unit < lanes.units(); ++unit) AddGains(lanes, unit, gains);
  FloatVector best = hn::Set(floats, -1.0f);
  IntVector bits = hn::Zero(Ints());
  ForEachTriple(m, [&](int64_t number, int a, int b, int c) HWY_ATTR {
    const FloatVector ab = hn::Add(lanes.Sum(a), lanes.Sum(b));
    for (int d = c + 1; d < m; ++d, ++number) {
      const FloatVector sum = hn::Add(ab, hn::Add(lanes.Sum(c), lanes.Sum(d)));
      const FloatVector worth = hn::Add(sum, hn::Load(floats, gains + number * kGroupLanes));
      const auto better = hn::Gt(worth, best);
      best = hn::IfThenElse(better, worth, best);
      bits = hn::IfThenElse(hn::RebindMask(Ints(), better), hn::Set(Ints(), 1 << a | 1 << b | 1 << c | 1 << d), bits);
    }
  });
  return hn::IfThenElse(hn::RebindMask(Ints(), lanes.AreBounded()), bits, lanes.BitsBySums());
}

template <VnmInner kInner>
void ChooseOfAllAs(const BlockRow& blocks, uint32_t* chosen) {
  Tensor gains = Tensor::Empty({CountChoices(blocks.m) * kGroupLanes});
  float* const room = gains.mutable_data<float>();
  ForEachLanes<kInner>(blocks, chosen,
                       [room](const BlockLanes<kInner>& lanes) HWY_ATTR { return BestOfAll(lanes, room); });
}

void ChooseOfAll(const BlockRow& blocks, VnmInner inner, uint32_t* chosen) {
  inner == VnmInner::kRows ? ChooseOfAllAs<VnmInner::kRows>(blocks, chosen)
                           : ChooseOfAllAs<VnmInner::kTransposable>(blocks, chosen);
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::sparse {

HWY_EXPORT(ChooseBySums);
HWY_EXPORT(ChooseOfAll);

void ChooseBySums(const BlockRow& blocks, uint32_t* chosen) { TWOFOUR_DYNAMIC_DISPATCH(ChooseBySums)(blocks, chosen); }

void ChooseOfAll(const BlockRow& blocks, VnmInner inner, uint32_t* chosen) {
  TWOFOUR_DYNAMIC_DISPATCH(ChooseOfAll)(blocks, inner, chosen);
}

}  // namespace twofour::sparse
#endif
