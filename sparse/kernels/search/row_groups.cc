#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>

#include "twofour/sparse/kernels/search/row_groups.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/search/row_groups.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/sparse/kernels/search/group_columns-inl.h"
#include "twofour/sparse/kernels/search/kept_tiles-inl.h"
#include "twofour/sparse/kernels/search/tile_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

using kept_tiles::kGroupCols;

constexpr int64_t kLanes = kGroupLanes;

/// Groups of four: a row of a tile is a group.
void KeepLargestOfFour(const float* weight, int64_t cols, int keep, TileMask* tiles) {
  ForEachVectorOfTiles(weight, cols, tiles, [keep](const float* w, int64_t stride, TileMask* out) HWY_ATTR {
    IntVector kept = hn::Zero(Ints());
    for (int row = 0; row < kTileSize; ++row) {
      const TileRow columns = ByColumn(LoadMagnitudes(w + row * stride));
      kept = hn::Or(kept, hn::ShiftLeftSame(BitsOfLargest(columns.vector, keep, kTileSize), kTileSize * row));
    }
    StoreTiles(kept, out);
    return true;
  });
}

/// Writes one row of a mask from left to right. The row must be zero in all tiles at first.
class RowBitsWriter {
 public:
  HWY_INLINE RowBitsWriter(TileMask* tiles, int row) : tile_(tiles), shift_(kTileSize * row) {}

  HWY_INLINE void Append(uint32_t bits, int count) {
    held_ |= uint64_t{bits} << count_;
    count_ += count;
    for (; count_ >= kTileSize; count_ -= kTileSize) {
      *tile_ = static_cast<TileMask>(*tile_ | (held_ & 0xF) << shift_);
      held_ >>= kTileSize;
      ++tile_;
    }
  }

 private:
  TileMask* tile_;
  int shift_;
  uint64_t held_ = 0;  // The lowest count_ bits are not written yet.
  int count_ = 0;
};

/// Reads one row of a mask from left to right.
class RowBitsReader {
 public:
  HWY_INLINE RowBitsReader(const TileMask* tiles, int row) : tile_(tiles), shift_(kTileSize * row) {}

  HWY_INLINE uint32_t Next(int count) {
    for (; count_ < count; count_ += kTileSize) {
      held_ |= (uint64_t{*tile_} >> shift_ & 0xF) << count_;
      ++tile_;
    }
    const auto bits = static_cast<uint32_t>(held_ & ((uint64_t{1} << count) - 1));
    held_ >>= count;
    count_ -= count;
    return bits;
  }

 private:
  const TileMask* tile_;
  int shift_;
  uint64_t held_ = 0;  // The lowest count_ bits are not returned yet.
  int count_ = 0;
};

void KeepLargestOfGroups(const float* weight, int64_t cols, int keep, int of, TileMask* tiles) {
  if (of == kTileSize) return KeepLargestOfFour(weight, cols, keep, tiles);
  std::fill_n(tiles, cols / kTileSize, TileMask{0});
  GroupColumns columns = {};
  const int64_t groups = cols / of;
  for (int row = 0; row < kTileSize; ++row) {
    RowBitsWriter writer(tiles, row);
    for (int64_t group = 0; group < groups; group += kLanes) {
      const int64_t count = std::min(kLanes, groups - group);
      columns.CopyFrom(weight + row * cols + group * of, count, of);
      FloatVector magnitudes[kMostInGroup];
      for (int i = 0; i < of; ++i) magnitudes[i] = hn::Abs(hn::Load(Floats(), columns.entry[i]));
      alignas(64) int32_t bits[kLanes];
      hn::Store(BitsOfLargest(magnitudes, keep, of), Ints(), bits);
      for (int64_t lane = 0; lane < count; ++lane) writer.Append(static_cast<uint32_t>(bits[lane]), of);
    }
  }
}

/// |w| where it is dropped and not a NaN, and 0 elsewhere.
template <class KeptMask>
HWY_INLINE FloatVector DroppedMagnitude(KeptMask keeps, FloatVector weight) {
  const FloatVector zero = hn::Zero(Floats()), magnitude = hn::Abs(weight);
  return hn::IfThenElse(keeps, zero, hn::IfThenElseZero(hn::Gt(magnitude, zero), magnitude));
}

template <class KeptMask>
HWY_INLINE FloatVector ShrinkKept(KeptMask keeps, FloatVector weight, FloatVector by) {
  const FloatVector zero = hn::Zero(Floats()), left = hn::Sub(hn::Abs(weight), by);
  // Not Max, because its value for a NaN differs between instruction sets.
  const FloatVector magnitude = hn::IfThenElse(hn::Lt(left, zero), zero, left);
  return hn::IfThenElse(keeps, hn::CopySign(magnitude, weight), zero);
}

/// The largest of each four neighbouring lanes, in all four of them.
HWY_INLINE FloatVector LargestOfFour(FloatVector v) {
  const FloatVector of_two = hn::Max(v, hn::Shuffle2301(v));
  return hn::Max(of_two, hn::Shuffle1032(of_two));
}

/// Four tiles side by side. Their four rows are `stride` apart.
HWY_INLINE void ShrinkKeptOfFour(const TileMask* tiles, const float* weight, float* out, int64_t stride) {
  const kept_tiles::Group group(tiles);
  TWOFOUR_UNROLL for (int64_t part = 0; part < kept_tiles::kParts; ++part) {
    const auto masks = group.Part(part);
    TWOFOUR_UNROLL for (int row = 0; row < kTileSize; ++row) {
      const int64_t at = row * stride + part * kept_tiles::kLanes;
      const FloatVector w = hn::LoadU(Floats(), weight + at);
      const auto keeps = kept_tiles::KeptLanes(masks, row);
      hn::StoreU(ShrinkKept(keeps, w, LargestOfFour(DroppedMagnitude(keeps, w))), Floats(), out + at);
    }
  }
}

void ShrinkKeptOfFour(const TileMask* tiles, int64_t cols, const float* weight, float* out) {
  int64_t col = 0;
  for (; col + kGroupCols <= cols; col += kGroupCols) {
    ShrinkKeptOfFour(tiles + col / kTileSize, weight + col, out + col, cols);
  }
  if (col == cols) return;
  TileMask last_tiles[kept_tiles::kGroup] = {};
  float last_weight[kTileSize * kGroupCols] = {}, last_out[kTileSize * kGroupCols];
  std::copy_n(tiles + col / kTileSize, (cols - col) / kTileSize, last_tiles);
  for (int row = 0; row < kTileSize; ++row) {
    std::copy_n(weight + row * cols + col, cols - col, last_weight + row * kGroupCols);
  }
  ShrinkKeptOfFour(last_tiles, last_weight, last_out, kGroupCols);
  for (int row = 0; row < kTileSize; ++row) {
    std::copy_n(last_out + row * kGroupCols, cols - col, out + row * cols + col);
  }
}

void ShrinkKeptOfGroups(const TileMask* tiles, int64_t cols, int of, const float* weight, float* out) {
  if (of == kTileSize) return ShrinkKeptOfFour(tiles, cols, weight, out);
  const Floats floats;
  GroupColumns columns = {};
  alignas(64) int32_t bits_of_lane[kLanes] = {};
  const int64_t groups = cols / of;
  for (int row = 0; row < kTileSize; ++row) {
    RowBitsReader reader(tiles, row);
    for (int64_t group = 0; group < groups; group += kLanes) {
      const int64_t count = std::min(kLanes, groups - group), at = row * cols + group * of;
      columns.CopyFrom(weight + at, count, of);
      for (int64_t lane = 0; lane < count; ++lane) bits_of_lane[lane] = static_cast<int32_t>(reader.Next(of));
      const IntVector bits = hn::Load(Ints(), bits_of_lane);
      const auto keeps = [bits](int i) HWY_ATTR {
        return hn::RebindMask(Floats(), hn::TestBit(bits, hn::Set(Ints(), static_cast<int32_t>(1u << i))));
      };
      FloatVector largest = hn::Zero(floats);
      for (int i = 0; i < of; ++i) {
        largest = hn::Max(largest, DroppedMagnitude(keeps(i), hn::Load(floats, columns.entry[i])));
      }
      for (int i = 0; i < of; ++i) {
        hn::Store(ShrinkKept(keeps(i), hn::Load(floats, columns.entry[i]), largest), floats, columns.entry[i]);
      }
      columns.CopyTo(out + at, count, of);
    }
  }
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::sparse {

HWY_EXPORT(KeepLargestOfGroups);
HWY_EXPORT(ShrinkKeptOfGroups);

void KeepLargestOfGroups(const float* weight, int64_t cols, int keep, int of, TileMask* tiles) {
  TWOFOUR_DYNAMIC_DISPATCH(KeepLargestOfGroups)(weight, cols, keep, of, tiles);
}

void ShrinkKeptOfGroups(const TileMask* tiles, int64_t cols, int of, const float* weight, float* out) {
  TWOFOUR_DYNAMIC_DISPATCH(ShrinkKeptOfGroups)(tiles, cols, of, weight, out);
}

}  // namespace twofour::sparse
#endif
