#include "twofour/core/kernels/simd_targets.h"
//
#include <algorithm>
#include <bit>
#include <cstring>

#include "twofour/sparse/kernels/mask_passes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/mask_passes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "twofour/core/kernels/simd_table.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// All walk a row of tiles by fours: their masks fill one 64-bit word, their rows one vector of 16 floats at most.
constexpr int64_t kGroup = 4, kGroupCols = kGroup * kTileSize;

uint64_t LoadGroup(const TileMask* tiles) {
  uint64_t word;
  std::memcpy(&word, tiles, sizeof(word));
  return word;
}

/// Where Highway's byte shuffles find the mask of column j of a group: its low byte; the high one is next.
constexpr uint8_t LowByteOf(int64_t column) { return static_cast<uint8_t>(2 * (column / kTileSize)); }

void ApplyTiles(const TileMask* tiles, int64_t cols, const float* weight, float* masked) {
  const hn::CappedTag<uint32_t, kGroupCols> words;
  const hn::Rebind<float, decltype(words)> floats;
  const hn::Repartition<uint64_t, decltype(words)> longs;
  const hn::Repartition<uint8_t, decltype(words)> bytes;
  constexpr int64_t kLanes = hn::MaxLanes(words), kParts = kGroupCols / kLanes;
  // Brings the mask of a lane's tile to that lane, for each part of a group that fills a vector.
  alignas(64) uint8_t byte_of_lane[kParts][4 * kLanes];
  alignas(64) uint32_t bit_of_lane[kTileSize][kLanes];
  for (int64_t part = 0; part < kParts; ++part) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const uint8_t low = LowByteOf(part * kLanes + lane), high = static_cast<uint8_t>(low + 1);
      const uint8_t twice[] = {low, high, low, high};
      std::copy_n(twice, 4, &byte_of_lane[part][4 * lane]);
    }
  }
  for (int row = 0; row < kTileSize; ++row) {
    for (int64_t lane = 0; lane < kLanes; ++lane) bit_of_lane[row][lane] = 1u << (kTileSize * row + lane % kTileSize);
  }
  int64_t col = 0;
  for (; col + kGroupCols <= cols; col += kGroupCols) {
    const auto group = hn::BitCast(bytes, hn::Set(longs, LoadGroup(tiles + col / kTileSize)));
    for (int64_t part = 0; part < kParts; ++part) {
      const auto masks = hn::BitCast(words, hn::TableLookupBytes(group, hn::Load(bytes, byte_of_lane[part])));
      for (int row = 0; row < kTileSize; ++row) {
        const int64_t at = row * cols + col + part * kLanes;
        const auto keeps = hn::RebindMask(floats, hn::TestBit(masks, hn::Load(words, bit_of_lane[row])));
        hn::StoreU(hn::IfThenElseZero(keeps, hn::LoadU(floats, weight + at)), floats, masked + at);
      }
    }
  }
  for (; col < cols; ++col) {
    for (int row = 0; row < kTileSize; ++row) {
      const int64_t at = row * cols + col;
      masked[at] = Keeps(tiles[col / kTileSize], row, static_cast<int>(col % kTileSize)) ? weight[at] : 0.0f;
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
  // Sixteen sums of each kind, one for each column of a group, whatever a vector holds; they are added up in order.
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

/// Ones in before ^ after, or in before alone where after is null.
int64_t CountOnes(const TileMask* before, const TileMask* after, int64_t count) {
  const hn::ScalableTag<TileMask> words;
  constexpr int64_t kLanes = hn::MaxLanes(words);
  constexpr int64_t kBetweenSums = 4095;  // Lanes of 16 bits hold so many times 16 ones.
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

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::sparse {

HWY_EXPORT(ApplyTiles);
HWY_EXPORT(ExpandTiles);
HWY_EXPORT(SumMagnitudes);
HWY_EXPORT(CountOnes);

void ApplyTiles(const TileMask* tiles, int64_t cols, const float* weight, float* masked) {
  TWOFOUR_DYNAMIC_DISPATCH(ApplyTiles)(tiles, cols, weight, masked);
}

void ExpandTiles(const TileMask* tiles, int64_t cols, uint8_t* kept) {
  TWOFOUR_DYNAMIC_DISPATCH(ExpandTiles)(tiles, cols, kept);
}

MagnitudeSums SumMagnitudes(const TileMask* tiles, int64_t cols, const float* weight) {
  return TWOFOUR_DYNAMIC_DISPATCH(SumMagnitudes)(tiles, cols, weight);
}

int64_t CountKept(const TileMask* tiles, int64_t count) {
  return TWOFOUR_DYNAMIC_DISPATCH(CountOnes)(tiles, nullptr, count);
}

int64_t CountDifferences(const TileMask* before, const TileMask* after, int64_t count) {
  return TWOFOUR_DYNAMIC_DISPATCH(CountOnes)(before, after, count);
}

}  // namespace twofour::sparse
#endif
