// Groups of neighbours along a row, one in each lane. Compiled once for each instruction set (see
// hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_SEARCH_GROUP_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_SEARCH_GROUP_COLUMNS_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_SEARCH_GROUP_COLUMNS_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_SEARCH_GROUP_COLUMNS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "twofour/sparse/kernels/search/row_groups.h"
#include "twofour/sparse/kernels/search/tile_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {

inline constexpr int64_t kGroupLanes = hn::MaxLanes(Floats());

/// Up to kGroupLanes groups of `of` neighbours, transposed: entry i of group g is at [i][g]. Entries are copied one by
/// one. That is at least as fast as gathering and scattering, even on processors that have instructions for it.
struct GroupColumns {
  alignas(64) float entry[kMostInGroup][kGroupLanes];

  HWY_INLINE void CopyFrom(const float* groups, int64_t count, int of) {
    for (int64_t group = 0; group < count; ++group) {
      for (int i = 0; i < of; ++i) entry[i][group] = groups[group * of + i];
    }
  }
  HWY_INLINE void CopyTo(float* groups, int64_t count, int of) const {
    for (int64_t group = 0; group < count; ++group) {
      for (int i = 0; i < of; ++i) groups[group * of + i] = entry[i][group];
    }
  }
};

/// `magnitudes` has one vector for each of the `of` entries of a group. Returns a word for each lane, in which the bits
/// of the `keep` largest entries are set; of equal ones, the first.
HWY_INLINE IntVector BitsOfLargest(const FloatVector* magnitudes, int keep, int of) {
  const Ints ints;
  // How many entries go before each one: entries in front of it that are as large or larger, and entries behind it that
  // are larger.
  IntVector before[kMostInGroup];
  for (int j = 0; j < of; ++j) {
    before[j] = hn::Set(ints, of - 1 - j);
    for (int i = 0; i < j; ++i) {
      const auto minus_one_if_i = hn::VecFromMask(ints, hn::RebindMask(ints, hn::Ge(magnitudes[i], magnitudes[j])));
      before[j] = hn::Sub(before[j], minus_one_if_i);
      before[i] = hn::Add(before[i], minus_one_if_i);
    }
  }
  IntVector bits = hn::Zero(ints);
  for (int j = 0; j < of; ++j) {
    const auto keeps = hn::Lt(before[j], hn::Set(ints, keep));
    bits = hn::Or(bits, hn::IfThenElseZero(keeps, hn::Set(ints, static_cast<int32_t>(1u << j))));
  }
  return bits;
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_SEARCH_GROUP_COLUMNS_INL_H_
