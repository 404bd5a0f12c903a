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

/// The values of one pair of rows within one block: lane i of vector v holds both rows' values in some column, zeros
/// where there is no column.
using GroupBlock = Pairs[kBlockVectors];

/// In which lanes of a vector only the first row, only the second row and both rows are not zero: bits for codes 1, 2
/// and 3.
struct CodeBits {
  HWY_INLINE explicit CodeBits(Pairs x) {
    const uint32_t first = NonZeroFirsts(x), second = NonZeroSeconds(x);
    of[1] = first & ~second;
    of[2] = second & ~first;
    of[3] = first & second;
  }
  uint32_t of[kCodes] = {};
};

/// The offset in bytes of each lane's column, in the order of a GroupBlock.
struct ColumnOffsets {
  alignas(64) uint32_t of[kBlockVectors][kLanes];
};

/// Counts the joined entries of each code.
HWY_INLINE void CountGroup(const GroupBlock& block, Lists::Ends& counts) {
  uint32_t entries[kCodes] = {};
  TWOFOUR_UNROLL
  for (int v = 0; v < kBlockVectors; ++v) {
    const CodeBits bits(block[v]);
    for (int code = 1; code < kCodes; ++code) entries[code] += static_cast<uint32_t>(std::popcount(bits.of[code]));
  }
  for (int code = 1; code < kCodes; ++code) counts[code] = (entries[code] + 1) / 2;
}

/// Writes the entries of a group within a block.
inline void FillGroup(const GroupBlock& block, const ColumnOffsets& offsets, const Lists::Ends& ends, Lists& lists) {
  // 1. Gather the entries of each code: both rows' values, and the offset.
  constexpr int kRoom = Lists::kBlockCols + 2 * kLanes;
  alignas(64) uint32_t values[kCodes][kRoom], columns[kCodes][kRoom];
  uint32_t count[kCodes] = {};
  for (int v = 0; v < kBlockVectors; ++v) {
    const CodeBits bits(block[v]);
    const Pairs column = LoadPairs(offsets.of[v]);
    for (int code = 1; code < kCodes; ++code) {
      Compress(block[v], bits.of[code], values[code] + count[code]);
      Compress(column, bits.of[code], columns[code] + count[code]);
      count[code] += static_cast<uint32_t>(std::popcount(bits.of[code]));
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

/// Calls visit(block, group, values) for every pair of features of `matrix`. Columns are batch rows.
template <typename Visit>
void ForEachFeatureGroup(const PanelMatrix& matrix, int64_t begin, int64_t end, const Visit& visit) {
  constexpr int64_t kPanels = Lists::kBlockCols / kPanel;
  for (int64_t first = 0; first < matrix.panels(); first += kPanels) {
    for (int64_t group = begin; group < end; ++group) {
      GroupBlock values;
      TWOFOUR_UNROLL
      for (int64_t i = 0; i < kPanels; ++i) {
        const int64_t p = first + i;
        TWOFOUR_UNROLL
        for (int h = 0; h < 2; ++h) {
          Pairs* const to = values + 4 * i + 2 * h;
          to[0] = to[1] = SetPairs(0);
          if (p >= matrix.panels()) continue;
          const BFloat16* const from = matrix.values<BFloat16>(p) + 2 * group * kPanel + h * kSquare;
          const auto valid = static_cast<uint32_t>(matrix.valid_bits(p) >> (h * kSquare));
          const Pairs a = KeepElements(LoadPairs(from), valid), b = KeepElements(LoadPairs(from + kPanel), valid);
          to[0] = InterleaveLower(a, b);
          to[1] = InterleaveUpper(a, b);
        }
      }
      visit(first / kPanels, group, values);
    }
  }
}

/// The columns of ForEachFeatureGroup's values.
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

/// Calls visit(block, group, values) for every pair of batch rows of panel `p`. Columns are features.
template <typename Visit>
void ForEachBatchGroup(const PanelMatrix& matrix, int64_t p, const Visit& visit) {
  constexpr int64_t kGroups = kPanel / Lists::kGroupRows;
  for (int64_t first = 0; first < matrix.features(); first += Lists::kBlockCols) {
    for (int h = 0; h < 2; ++h) {
      const auto valid = static_cast<uint32_t>(matrix.valid_bits(p) >> (h * kSquare));
      Pairs turned[kBlockVectors][kLanes];
      for (int v = 0; v < kBlockVectors; ++v) {
        const int64_t feature = first + v * kLanes;
        for (int64_t i = 0; i < kLanes; ++i) {
          const BFloat16* const from = matrix.values<BFloat16>(p) + (feature + i) * kPanel + h * kSquare;
          turned[v][i] = feature + i < matrix.features() ? KeepElements(LoadPairs(from), valid) : SetPairs(0);
        }
        TransposePairs(turned[v]);
      }
      for (int64_t i = 0; i < kLanes; ++i) {
        GroupBlock values;
        for (int v = 0; v < kBlockVectors; ++v) values[v] = turned[v][i];
        visit(first / Lists::kBlockCols, p * kGroups + h * kLanes + i, values);
      }
    }
  }
}

/// The columns of ForEachBatchGroup's values.
inline ColumnOffsets OffsetsOfFeatures() {
  ColumnOffsets offsets;
  for (int v = 0; v < kBlockVectors; ++v) {
    for (int lane = 0; lane < kLanes; ++lane) {
      offsets.of[v][lane] = static_cast<uint32_t>((v * kLanes + lane) * Lists::kColumnBytes);
    }
  }
  return offsets;
}

/// Calls visit(block, group, values) for all groups, on several threads.
template <typename Visit>
void ForEachGroup(const PanelMatrix& matrix, NonZeroLists::Rows rows, const Visit& visit) {
  constexpr int64_t kGrain = 64 * 1024;  // A thread should get at least this many elements.
  if (rows == NonZeroLists::Rows::kBatch) {
    ParallelFor(matrix.panels(), 1 + kGrain / (matrix.features() * kPanel + 1), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) ForEachBatchGroup(matrix, p, visit);
    });
  } else {
    ParallelFor(matrix.features() / Lists::kGroupRows, 1 + kGrain / (matrix.batch() * Lists::kGroupRows + 1),
                [&](int64_t begin, int64_t end) { ForEachFeatureGroup(matrix, begin, end, visit); });
  }
}

inline std::unique_ptr<NonZeroLists> MakeLists(const PanelMatrix& matrix, NonZeroLists::Rows rows) {
  auto lists = std::make_unique<Lists>(matrix, rows);
  ForEachGroup(matrix, rows, [&](int64_t block, int64_t group, const GroupBlock& values) {
    CountGroup(values, lists->ends(block, group));
  });
  lists->Allocate();
  const ColumnOffsets offsets = rows == NonZeroLists::Rows::kBatch ? OffsetsOfFeatures() : OffsetsOfBatchRows();
  ForEachGroup(matrix, rows, [&](int64_t block, int64_t group, const GroupBlock& values) {
    FillGroup(values, offsets, lists->ends(block, group), *lists);
  });
  return lists;
}

/// The zeros are looked for again: there may be more of them among other values.
inline std::unique_ptr<NonZeroLists> MakeListsAgain(const PanelMatrix& matrix, const NonZeroLists& same_zeros) {
  return MakeLists(matrix, static_cast<const Lists&>(same_zeros).orientation());
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_LISTS_INL_H_
