#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <bit>
#include <cmath>

#include "twofour/sparse/for_each_tile_row.h"
#include "twofour/sparse/kernels/search/mask_passes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/search/mask_passes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/sparse/kernels/search/kept_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using kept_tiles::Group;
using kept_tiles::KeptLanes;
using kept_tiles::kGroup;
using kept_tiles::kGroupCols;
using kept_tiles::LoadGroup;
using kept_tiles::LowByteOf;

void ApplyTiles(const TileMask* tiles, int64_t cols, const float* weight, float* masked) {
  kept_tiles::CopyKept(
      tiles, cols, weight, cols, [masked](int64_t col) { return masked + col; }, cols);
}

void AddDroppedOfTiles(const TileMask* tiles, int64_t cols, float factor, const float* weight, float* sum) {
  const kept_tiles::Floats floats;
  const auto by = hn::Set(floats, factor);
  int64_t col = 0;
  for (; col + kGroupCols <= cols; col += kGroupCols) {
    const Group group(tiles + col / kTileSize);
    TWOFOUR_UNROLL for (int64_t part = 0; part < kept_tiles::kParts; ++part) {
      const auto masks = group.Part(part);
      TWOFOUR_UNROLL for (int row = 0; row < kTileSize; ++row) {
        const int64_t at = row * cols + col + part * kept_tiles::kLanes;
        const auto before = hn::LoadU(floats, sum + at);
        // Not a fused multiply-add, so that all instruction sets give the same bits.
        const auto after = hn::Add(before, hn::Mul(by, hn::LoadU(floats, weight + at)));
        hn::StoreU(hn::IfThenElse(KeptLanes(masks, row), before, after), floats, sum + at);
      }
    }
  }
  for (; col < cols; ++col) {
    for (int row = 0; row < kTileSize; ++row) {
      if (Keeps(tiles[col / kTileSize], row, static_cast<int>(col % kTileSize))) continue;
      sum[row * cols + col] += factor * weight[row * cols + col];
    }
  }
}

void ExpandTiles(const TileMask* tiles, int64_t cols, uint8_t* kept) {
  const hn::CappedTag<uint8_t, kGroupCols> bytes;
  const hn::Repartition<uint64_t, decltype(bytes)> longs;
  static_assert(hn::MaxLanes(bytes) == kGroupCols, "a row of a group is a vector of 128 bits");
  alignas(16) uint8_t byte_of_lane[kTileSize][kGroupCols], bit_of_lane[kTileSize][kGroupCols];
  for (int row = 0; row < kTileSize; ++row) {
    for (int64_t lane = 0; lane < kGroupCols; ++lane) {
      const int64_t bit = kTileSize * row + lane % kTileSize;
      byte_of_lane[row][lane] = static_cast<uint8_t>(LowByteOf(lane) + bit / 8);
      bit_of_lane[row][lane] = static_cast<uint8_t>(1 << bit % 8);
    }
  }
  int64_t col = 0;
  for (; col + kGroupCols <= cols; col += kGroupCols) {
    const auto group = hn::BitCast(bytes, hn::Set(longs, LoadGroup(tiles + col / kTileSize)));
    for (int row = 0; row < kTileSize; ++row) {
      const auto masks = hn::TableLookupBytes(group, hn::Load(bytes, byte_of_lane[row]));
      const auto bits = hn::And(masks, hn::Load(bytes, bit_of_lane[row]));
      hn::StoreU(hn::Min(bits, hn::Set(bytes, uint8_t{1})), bytes, kept + row * cols + col);
    }
  }
  for (; col < cols; ++col) {
    for (int row = 0; row < kTileSize; ++row) {
      kept[row * cols + col] = Keeps(tiles[col / kTileSize], row, static_cast<int>(col % kTileSize)) ? 1 : 0;
    }
  }
}

MagnitudeSums SumMagnitudes(const TileMask* tiles, int64_t cols, const float* weight) {
  // There are sixteen sums of each kind, one for each column of a group, however long vectors are. They are added up in
  // order.
  const hn::CappedTag<double, kGroupCols> doubles;
  const hn::Rebind<float, decltype(doubles)> floats;
  const hn::Rebind<uint64_t, decltype(doubles)> longs;
  constexpr int64_t kLanes = hn::MaxLanes(doubles), kParts = kGroupCols / kLanes;
  alignas(64) uint64_t bit_of_column[kGroupCols];
  for (int64_t column = 0; column < kGroupCols; ++column) {
    bit_of_column[column] = uint64_t{1} << (16 * (column / kTileSize) + column % kTileSize);
  }
  hn::Vec<decltype(doubles)> kept[kParts], all[kParts];
  for (int64_t part = 0; part < kParts; ++part) kept[part] = all[part] = hn::Zero(doubles);

  const auto add_group = [&](uint64_t group, const float* from, int64_t stride) HWY_ATTR {
    for (int row = 0; row < kTileSize; ++row) {
      const auto masks = hn::Set(longs, group >> (kTileSize * row));
      for (int64_t part = 0; part < kParts; ++part) {
        const auto w = hn::PromoteTo(doubles, hn::LoadU(floats, from + row * stride + part * kLanes));
        const auto keeps = hn::TestBit(masks, hn::Load(longs, bit_of_column + part * kLanes));
        const auto magnitude = hn::Abs(w);
        all[part] = hn::Add(all[part], magnitude);
        kept[part] = hn::Add(kept[part], hn::IfThenElseZero(hn::RebindMask(doubles, keeps), magnitude));
      }
    }
  };
  int64_t col = 0;
  for (; col + kGroupCols <= cols; col += kGroupCols) add_group(LoadGroup(tiles + col / kTileSize), weight + col, cols);
  if (col < cols) {
    TileMask last_tiles[kGroup] = {};
    float last_weight[kTileSize * kGroupCols] = {};
    std::copy_n(tiles + col / kTileSize, (cols - col) / kTileSize, last_tiles);
    for (int row = 0; row < kTileSize; ++row) {
      std::copy_n(weight + row * cols + col, cols - col, last_weight + row * kGroupCols);
    }
    add_group(LoadGroup(last_tiles), last_weight, kGroupCols);
  }

  alignas(64) double kept_of_column[kGroupCols], all_of_column[kGroupCols];
  for (int64_t part = 0; part < kParts; ++part) {
    hn::Store(kept[part], doubles, kept_of_column + part * kLanes);
    hn::Store(all[part], doubles, all_of_column + part * kLanes);
  }
  MagnitudeSums sums;
  for (int64_t column = 0; column < kGroupCols; ++column) {
    sums.kept += kept_of_column[column];
    sums.all += all_of_column[column];
  }
  return sums;
}

void SumDroppedMagnitudes(const TileMask* tiles, int64_t cols, const float* weight, double* sums) {
  // Each lane is a tile. It adds zeros for what the tile keeps, so its sum takes the same steps as a loop over one
  // tile.
  const hn::ScalableTag<double> doubles;
  const hn::Rebind<float, decltype(doubles)> floats;
  const hn::Rebind<TileMask, decltype(doubles)> words;
  const hn::Rebind<uint32_t, decltype(doubles)> wide_words;
  const hn::Rebind<uint64_t, decltype(doubles)> longs;
  constexpr int64_t kTiles = hn::MaxLanes(doubles);
  const int64_t count = cols / kTileSize;
  int64_t tile = 0;
  for (; tile + kTiles <= count; tile += kTiles) {
    const auto masks = hn::PromoteTo(longs, hn::PromoteTo(wide_words, hn::LoadU(words, tiles + tile)));
    auto sum = hn::Zero(doubles);
    for (int row = 0; row < kTileSize; ++row) {
      hn::Vec<decltype(floats)> column[kTileSize];
      hn::LoadInterleaved4(floats, weight + row * cols + tile * kTileSize, column[0], column[1], column[2], column[3]);
      for (int col = 0; col < kTileSize; ++col) {
        const auto keeps = hn::TestBit(masks, hn::Set(longs, uint64_t{1} << (kTileSize * row + col)));
        const auto magnitude = hn::Abs(hn::PromoteTo(doubles, column[col]));
        sum = hn::Add(sum, hn::IfThenZeroElse(hn::RebindMask(doubles, keeps), magnitude));
      }
    }
    hn::StoreU(sum, doubles, sums + tile);
  }
  for (; tile < count; ++tile) {
    double sum = 0;
    for (int row = 0; row < kTileSize; ++row) {
      for (int col = 0; col < kTileSize; ++col) {
        if (Keeps(tiles[tile], row, col)) continue;
        sum += std::fabs(static_cast<double>(weight[row * cols + tile * kTileSize + col]));
      }
    }
    sums[tile] = sum;
  }
}

/// Counts the ones in before ^ after, or in before alone if after is null.
int64_t CountOnes(const TileMask* before, const TileMask* after, int64_t count) {
  const hn::ScalableTag<TileMask> words;
  constexpr int64_t kLanes = hn::MaxLanes(words);
  constexpr int64_t kBetweenSums = 4095;  // A lane of 16 bits can hold this many times 16 ones.
  int64_t ones = 0, at = 0;
  while (at + kLanes <= count) {
    auto sums = hn::Zero(words);
    const int64_t end = std::min(count - kLanes, at + (kBetweenSums - 1) * kLanes);
    for (; at <= end; at += kLanes) {
      auto bits = hn::LoadU(words, before + at);
      if (after != nullptr) bits = hn::Xor(bits, hn::LoadU(words, after + at));
      sums = hn::Add(sums, hn::PopulationCount(bits));
    }
    alignas(64) TileMask lanes[kLanes];
    hn::Store(sums, words, lanes);
    for (const TileMask lane : lanes) ones += lane;
  }
  for (; at < count; ++at)
    ones += std::popcount(static_cast<TileMask>(before[at] ^ (after == nullptr ? 0 : after[at])));
  return ones;
}

using Masks = hn::ScalableTag<TileMask>;
using MaskVector = hn::Vec<Masks>;

/// Sets bit 3 of each four bits if more than two of them are set (see IsTwoOfFour).
HWY_INLINE MaskVector AboveTwo(MaskVector lines) {
  const Masks masks;
  const auto odd = hn::Set(masks, TileMask{0x5555}), low = hn::Set(masks, TileMask{0x3333});
  const auto pairs = hn::Add(hn::And(lines, odd), hn::And(hn::ShiftRight<1>(lines), odd));
  const auto sums = hn::Add(hn::And(pairs, low), hn::And(hn::ShiftRight<2>(pairs), low));
  return hn::And(hn::Add(sums, odd), hn::Set(masks, TileMask{0x8888}));
}

/// Exchanges the bits in `those` with the bits kDistance above them.
template <int kDistance>
HWY_INLINE MaskVector Swap(MaskVector v, TileMask those) {
  const auto differ = hn::And(hn::Xor(v, hn::ShiftRight<kDistance>(v)), hn::Set(Masks(), those));
  return hn::Xor(v, hn::Or(differ, hn::ShiftLeft<kDistance>(differ)));
}

int64_t FindAboveTwoOfFour(const TileMask* tiles, int64_t count) {
  const Masks masks;
  constexpr int64_t kLanes = hn::MaxLanes(masks);
  int64_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
    const MaskVector rows = hn::LoadU(masks, tiles + at);
    const MaskVector above = hn::Or(AboveTwo(rows), AboveTwo(Swap<6>(Swap<3>(rows, 0x0A0A), 0x00CC)));
    if (!hn::AllTrue(masks, hn::Eq(above, hn::Zero(masks)))) break;
  }
  for (; at < count; ++at) {
    if (!IsTwoOfFour(tiles[at])) return at;
  }
  return -1;
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::sparse {

HWY_EXPORT(ApplyTiles);
HWY_EXPORT(AddDroppedOfTiles);
HWY_EXPORT(ExpandTiles);
HWY_EXPORT(SumMagnitudes);
HWY_EXPORT(SumDroppedMagnitudes);
HWY_EXPORT(CountOnes);
HWY_EXPORT(FindAboveTwoOfFour);

void ApplyTiles(const TileMask* tiles, int64_t cols, const float* weight, float* masked) {
  TWOFOUR_DYNAMIC_DISPATCH(ApplyTiles)(tiles, cols, weight, masked);
}

void ApplyMask(const float* weight, const MaskView& mask, float* masked) {
  ForEachTileRow(mask, [&](int64_t tile_row) {
    const TileRow row(mask, tile_row, weight);
    row.Into(masked,
             [&](float* out) { ApplyTiles(mask.tiles + tile_row * mask.tile_cols(), row.cols(), row.data(), out); });
  });
}

void AddDroppedOfTiles(const TileMask* tiles, int64_t cols, float factor, const float* weight, float* sum) {
  TWOFOUR_DYNAMIC_DISPATCH(AddDroppedOfTiles)(tiles, cols, factor, weight, sum);
}

void ExpandTiles(const TileMask* tiles, int64_t cols, uint8_t* kept) {
  TWOFOUR_DYNAMIC_DISPATCH(ExpandTiles)(tiles, cols, kept);
}

MagnitudeSums SumMagnitudes(const TileMask* tiles, int64_t cols, const float* weight) {
  return TWOFOUR_DYNAMIC_DISPATCH(SumMagnitudes)(tiles, cols, weight);
}

void SumDroppedMagnitudes(const TileMask* tiles, int64_t cols, const float* weight, double* sums) {
  TWOFOUR_DYNAMIC_DISPATCH(SumDroppedMagnitudes)(tiles, cols, weight, sums);
}

int64_t CountKept(const TileMask* tiles, int64_t count) {
  return TWOFOUR_DYNAMIC_DISPATCH(CountOnes)(tiles, nullptr, count);
}

int64_t CountDifferences(const TileMask* before, const TileMask* after, int64_t count) {
  return TWOFOUR_DYNAMIC_DISPATCH(CountOnes)(before, after, count);
}

int64_t FindAboveTwoOfFour(const TileMask* tiles, int64_t count) {
  return TWOFOUR_DYNAMIC_DISPATCH(FindAboveTwoOfFour)(tiles, count);
}

}  // namespace twofour::sparse
#endif
