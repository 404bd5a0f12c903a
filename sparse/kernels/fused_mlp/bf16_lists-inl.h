// Makes Bf16ActivationLists. Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_LISTS_INL_H_
#define TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_LISTS_INL_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>

#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/fused_mlp/bf16_lists.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_panel-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

using Lists = Bf16ActivationLists;

/// Vectors of columns in a block.
inline constexpr int kBlockVectors = Lists::kBlockCols / kLanes;
inline constexpr int kCodes = Lists::kCodes;

/// Of one pair of rows within one block: lane i of vector v holds the values of both rows in some column. Bit i of
/// first[v] (second[v]) says that the value of the first (second) row is not zero and counts.
struct GroupBlock {
  Pairs values[kBlockVectors];
  uint32_t first[kBlockVectors], second[kBlockVectors];

  /// The lanes of vector v that have a code.
  HWY_INLINE uint32_t BitsOf(int v, int code) const {
    return (code & 1 ? first[v] : ~first[v]) & (code & 2 ? second[v] : ~second[v]);
  }
};

/// The offset in bytes of each lane's column, in the order of a GroupBlock.
struct ColumnOffsets {
  alignas(64) uint32_t of[kBlockVectors][kLanes];
};

HWY_INLINE uint32_t Joined(int entries) { return static_cast<uint32_t>(entries + 1) / 2; }

/// Writes the entries of a group within a block.
inline void FillGroup(const GroupBlock& block, const ColumnOffsets& offsets, const Lists::Ends& ends, Lists& lists) {
  // 1. Gather the entries of each code: both rows' values, and the offset.
  constexpr int kRoom = Lists::kBlockCols + 2 * kLanes;
  alignas(64) uint32_t values[kCodes][kRoom], columns[kCodes][kRoom];
  uint32_t count[kCodes] = {};
  for (int v = 0; v < kBlockVectors; ++v) {
    const Pairs column = LoadPairs(offsets.of[v]);
    for (int code = 1; code < kCodes; ++code) {
      const uint32_t bits = block.BitsOf(v, code);
      Compress(block.values[v], bits, values[code] + count[code]);
      Compress(column, bits, columns[code] + count[code]);
      count[code] += static_cast<uint32_t>(std::popcount(bits));
    }
  }

  // 2. Join them.
  for (int code = 1; code < kCodes; ++code) {
    if (count[code] % 2 != 0) {
      // Zeros times a column that counts anyway: another might hold an infinity.
      values[code][count[code]] = 0;
      columns[code][count[code]] = columns[code][count[code] - 1];
    }
    int64_t to = ends[code - 1], left = ends[code] - to;
    for (uint32_t at = 0; left > 0; at += 2 * kLanes, to += kLanes, left -= kLanes) {
      const uint32_t *const v = values[code] + at, *const c = columns[code] + at;
      StoreFirstPairs(SwapMiddles(LoadPairs(v)), 2 * left, lists.values() + to);
      StoreFirstPairs(SwapMiddles(LoadPairs(v + kLanes)), std::max<int64_t>(2 * left - kLanes, 0),
                      lists.values() + to + kLanes / 2);
      StoreFirstPairs(FirstsOf(LoadPairs(c), LoadPairs(c + kLanes)), left, lists.offsets() + to);
    }
  }
}

/// Panels of a block whose columns are batch rows.
inline constexpr int64_t kBlockPanels = Lists::kBlockCols / kPanel;

/// Counts the joined entries of pairs of features [begin, end).
inline void CountFeatureGroups(const PanelMatrix& matrix, int64_t begin, int64_t end, Lists& lists) {
  for (int64_t first = 0; first < matrix.panels(); first += kBlockPanels) {
    const int64_t behind = std::min(first + kBlockPanels, matrix.panels());
    for (int64_t group = begin; group < end; ++group) {
      int only_first = 0, only_second = 0, both = 0;
      for (int64_t p = first; p < behind; ++p) {
        const uint64_t a = matrix.nonzero(p)[2 * group], b = matrix.nonzero(p)[2 * group + 1];
        only_first += std::popcount(a & ~b);
        only_second += std::popcount(b & ~a);
        both += std::popcount(a & b);
      }
      lists.ends(first / kBlockPanels, group) = {0, Joined(only_first), Joined(only_second), Joined(both)};
    }
  }
}

/// Writes the entries of pairs of features [begin, end). Columns are batch rows.
inline void FillFeatureGroups(const PanelMatrix& matrix, int64_t begin, int64_t end, const ColumnOffsets& offsets,
                              Lists& lists) {
  for (int64_t first = 0; first < matrix.panels(); first += kBlockPanels) {
    for (int64_t group = begin; group < end; ++group) {
      GroupBlock block;
      for (int v = 0; v < kBlockVectors; v += 2) {
        const int64_t p = first + v / 4, h = v / 2 % 2;
        if (p >= matrix.panels()) {
          block.values[v] = block.values[v + 1] = SetPairs(0);
          block.first[v] = block.first[v + 1] = block.second[v] = block.second[v + 1] = 0;
          continue;
        }
        const BFloat16* const from = matrix.values<BFloat16>(p) + 2 * group * kPanel + h * kSquare;
        const Pairs a = LoadPairs(from), b = LoadPairs(from + kPanel);
        const auto bits_a = static_cast<uint32_t>(matrix.nonzero(p)[2 * group] >> (h * kSquare));
        const auto bits_b = static_cast<uint32_t>(matrix.nonzero(p)[2 * group + 1] >> (h * kSquare));
        block.values[v] = InterleaveLower(a, b);
        block.values[v + 1] = InterleaveUpper(a, b);
        block.first[v] = BitsOfLower(bits_a), block.first[v + 1] = BitsOfUpper(bits_a);
        block.second[v] = BitsOfLower(bits_b), block.second[v + 1] = BitsOfUpper(bits_b);
      }
      FillGroup(block, offsets, lists.ends(first / kBlockPanels, group), lists);
    }
  }
}

/// The columns of a block whose columns are batch rows.
inline ColumnOffsets OffsetsOfBatchRows() {
  ColumnOffsets offsets;
  for (int v = 0; v < kBlockVectors; ++v) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const int row = v / 2 * static_cast<int>(kSquare) + lane / 4 * 8 + v % 2 * 4 + lane % 4;
      offsets.of[v][lane] = static_cast<uint32_t>(row * Lists::kColumnBytes);
    }
  }
  return offsets;
}

inline std::unique_ptr<NonZeroLists> MakeLists(const PanelMatrix& matrix, NonZeroLists::Rows rows) {
  constexpr int64_t kGrain = 64 * 1024;  // A thread should get at least this many elements.
  auto lists = std::make_unique<Lists>(matrix, rows);
  if (rows == NonZeroLists::Rows::kBatch) {
    lists->FillBatchGroups(matrix);
    return lists;
  }
  const int64_t groups = matrix.features() / Lists::kGroupRows;
  const int64_t grain = 1 + kGrain / (matrix.batch() * Lists::kGroupRows + 1);
  ParallelFor(groups, grain, [&](int64_t begin, int64_t end) { CountFeatureGroups(matrix, begin, end, *lists); });
  lists->Allocate();
  const ColumnOffsets offsets = OffsetsOfBatchRows();
  ParallelFor(groups, grain,
              [&](int64_t begin, int64_t end) { FillFeatureGroups(matrix, begin, end, offsets, *lists); });
  return lists;
}

/// Only the values differ, but counting again takes little time.
inline std::unique_ptr<NonZeroLists> MakeListsAgain(const PanelMatrix& matrix, const NonZeroLists& same_zeros) {
  return MakeLists(matrix, static_cast<const Lists&>(same_zeros).orientation());
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_LISTS_INL_H_
