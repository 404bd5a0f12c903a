// Copies what tile masks keep. Compiled once for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_SEARCH_KEPT_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_SEARCH_KEPT_TILES_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_SEARCH_KEPT_TILES_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_SEARCH_KEPT_TILES_INL_H_
#endif

#include <hwy/highway.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "twofour/core/kernels/simd/unroll.h"
#include "twofour/sparse/tile_mask.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace kept_tiles {

namespace hn = hwy::HWY_NAMESPACE;

// A row of tiles is processed in groups of four: the masks of a group fill one 64-bit word, and its rows fill at most
// one vector of 16 floats.
inline constexpr int64_t kGroup = 4, kGroupCols = kGroup * kTileSize;

HWY_INLINE uint64_t LoadGroup(const TileMask* tiles) {
  uint64_t word;
  std::memcpy(&word, tiles, sizeof(word));
  return word;
}

/// The byte of a group that holds the low half of the mask of column `column`. The next byte holds the high half.
constexpr uint8_t LowByteOf(int64_t column) { return static_cast<uint8_t>(2 * (column / kTileSize)); }

using Words = hn::CappedTag<uint32_t, kGroupCols>;
inline constexpr int64_t kLanes = hn::MaxLanes(Words()), kParts = kGroupCols / kLanes;

/// Table for a byte shuffle that brings to each lane the mask of its tile, for each part of a group that fills a
/// vector.
struct BytesOfLanes {
  alignas(64) uint8_t of_part[kParts][4 * kLanes];
};
constexpr BytesOfLanes MakeBytesOfLanes() {
  BytesOfLanes bytes{};
  for (int64_t part = 0; part < kParts; ++part) {
    for (int64_t byte = 0; byte < 4 * kLanes; ++byte) {
      bytes.of_part[part][byte] = static_cast<uint8_t>(LowByteOf(part * kLanes + byte / 4) + byte % 2);
    }
  }
  return bytes;
}
inline constexpr BytesOfLanes kBytesOfLanes = MakeBytesOfLanes();

/// The bit of a lane in the mask of its tile, for each row.
struct BitsOfLanes {
  alignas(64) uint32_t of_row[kTileSize][kLanes];
};
constexpr BitsOfLanes MakeBitsOfLanes() {
  BitsOfLanes bits{};
  for (int64_t row = 0; row < kTileSize; ++row) {
    for (int64_t lane = 0; lane < kLanes; ++lane) bits.of_row[row][lane] = 1u << (kTileSize * row + lane % kTileSize);
  }
  return bits;
}
inline constexpr BitsOfLanes kBitsOfLanes = MakeBitsOfLanes();

/// The masks of four neighbouring tiles.
class Group {
 public:
  using Bytes = hn::Repartition<uint8_t, Words>;

  HWY_INLINE explicit Group(const TileMask* tiles)
      : group_(hn::BitCast(Bytes(), hn::Set(hn::Repartition<uint64_t, Words>(), LoadGroup(tiles)))) {}

  /// The mask of the tile of each lane of a part.
  HWY_INLINE hn::Vec<Words> Part(int64_t part) const {
    return hn::BitCast(Words(), hn::TableLookupBytes(group_, hn::Load(Bytes(), kBytesOfLanes.of_part[part])));
  }

 private:
  hn::Vec<Bytes> group_;
};

using Floats = hn::Rebind<float, Words>;

#if HWY_TARGET == HWY_AVX2
/// By how much the bit of a lane must be shifted to become the sign, for each row.
struct ShiftsOfLanes {
  alignas(64) uint32_t of_row[kTileSize][kLanes];
};
constexpr ShiftsOfLanes MakeShiftsOfLanes() {
  ShiftsOfLanes shifts{};
  for (int64_t row = 0; row < kTileSize; ++row) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      shifts.of_row[row][lane] = static_cast<uint32_t>(31 - (kTileSize * row + lane % kTileSize));
    }
  }
  return shifts;
}
inline constexpr ShiftsOfLanes kShiftsOfLanes = MakeShiftsOfLanes();
#endif

/// Which lanes of row `row` of a part are kept. On AVX2 only the signs of this mask are right, but MaskedLoad and
/// IfThenElse look at nothing else. A shift is enough for that, where testing a bit takes two instructions.
HWY_INLINE auto KeptLanes(hn::Vec<Words> masks, int row) {
  const Floats floats;
#if HWY_TARGET == HWY_AVX2
  return hn::MaskFromVec(hn::BitCast(floats, hn::Shl(masks, hn::Load(Words(), kShiftsOfLanes.of_row[row]))));
#else
  return hn::RebindMask(floats, hn::TestBit(masks, hn::Load(Words(), kBitsOfLanes.of_row[row])));
#endif
}

/// Loads row `row` of a part, with zeros for what is not kept.
HWY_INLINE hn::Vec<Floats> LoadKept(hn::Vec<Words> masks, int row, const float* from) {
  const Floats floats;
#if HWY_TARGET == HWY_AVX2
  return hn::MaskedLoad(KeptLanes(masks, row), floats, from);
#else
  return hn::IfThenElseZero(KeptLanes(masks, row), hn::LoadU(floats, from));
#endif
}

/// Copies one row of tiles: to(col)[row * pitch] = weight[row][col] where it is kept, and 0 elsewhere. The four rows
/// have `cols` columns, a multiple of 4, and are `stride` apart. `col` goes up by the lanes of a vector, and by 4 after
/// the last whole group. to(col) must point to that many floats side by side.
template <typename To>
HWY_INLINE void CopyKept(const TileMask* tiles, int64_t cols, const float* weight, int64_t stride, const To& to,
                         int64_t pitch) {
  int64_t col = 0;
  for (; col + kGroupCols <= cols; col += kGroupCols) {
    const Group group(tiles + col / kTileSize);
    TWOFOUR_UNROLL for (int64_t part = 0; part < kParts; ++part) {
      const auto masks = group.Part(part);
      const float* const from = weight + col + part * kLanes;
      float* const at = to(col + part * kLanes);
      TWOFOUR_UNROLL for (int row = 0; row < kTileSize; ++row) {
        hn::StoreU(LoadKept(masks, row, from + row * stride), Floats(), at + row * pitch);
      }
    }
  }
  for (; col < cols; col += kTileSize) {
    float* const at = to(col);
    for (int row = 0; row < kTileSize; ++row) {
      for (int i = 0; i < kTileSize; ++i) {
        at[row * pitch + i] = Keeps(tiles[col / kTileSize], row, i) ? weight[row * stride + col + i] : 0.0f;
      }
    }
  }
}

}  // namespace kept_tiles
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_SEARCH_KEPT_TILES_INL_H_
