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

/// The offsets of the first kSquare columns of a block.
inline Pairs FirstOffsets() {
  alignas(64) uint16_t offsets[kSquare];
  for (int i = 0; i < kSquare; ++i) offsets[i] = static_cast<uint16_t>(i * Lists::kColumnUnits);
  return LoadPairs(offsets);
}
/// The offsets of the kSquare columns that follow.
HWY_INLINE Pairs NextOffsets(Pairs offsets) {
  constexpr uint32_t kStep = kSquare * Lists::kColumnUnits;
  return AddElements(offsets, SetPairs(kStep << 16 | kStep));
}

/// Writes the entries of a row within a block, in ascending order of columns.
class RowWriter {
 public:
  RowWriter() = default;
  explicit RowWriter(const Lists::Target& target) : values_(target.values), offsets_(target.offsets) {}

  /// Takes those of kSquare elements that have a bit. Their columns have these offsets.
  HWY_INLINE void Take(Pairs elements, Pairs offsets, uint32_t bits) {
    const int count = std::popcount(bits);
    StoreFirstElements(CompressElements(elements, bits), count, values_);
    StoreFirstElements(CompressElements(offsets, bits), count, offsets_);
    values_ += count;
    offsets_ += count;
    odd_ ^= count & 1;
  }

  /// Joins what is left over.
  HWY_INLINE void Finish() {
    if (odd_ == 0) return;
    // Zero times a column that counts anyway: another might hold an infinity. (If this one does, the sum is a NaN
    // instead of an infinity.)
    std::memset(values_, 0, sizeof(*values_));
    std::memcpy(offsets_, offsets_ - 1, sizeof(*offsets_));
  }

 private:
  uint16_t* values_ = nullptr;
  uint16_t* offsets_ = nullptr;
  int odd_ = 0;
};

/// Counts the entries of features [begin, end). Columns are batch rows.
inline void CountFeatures(const PanelMatrix& matrix, int64_t begin, int64_t end, Lists& lists) {
  const int64_t block_panels = lists.block_cols() / kPanel;
  for (int64_t block = 0; block < lists.blocks(); ++block) {
    const int64_t first = block * block_panels, behind = std::min(first + block_panels, matrix.panels());
    for (int64_t feature = begin; feature < end; ++feature) {
      int64_t count = 0;
      for (int64_t p = first; p < behind; ++p) count += std::popcount(matrix.nonzero(p)[feature]);
      lists.SetCount(block, feature, count);
    }
  }
}

/// Writes the entries of features [begin, end).
inline void FillFeatures(const PanelMatrix& matrix, int64_t begin, int64_t end, Lists& lists) {
  const int64_t block_panels = lists.block_cols() / kPanel;
  for (int64_t block = 0; block < lists.blocks(); ++block) {
    const int64_t first = block * block_panels, behind = std::min(first + block_panels, matrix.panels());
    for (int64_t feature = begin; feature < end; ++feature) {
      RowWriter writer(lists.target(block, feature));
      Pairs offsets = FirstOffsets();
      for (int64_t p = first; p < behind; ++p) {
        const BFloat16* const from = matrix.values<BFloat16>(p) + feature * kPanel;
        const uint64_t bits = matrix.nonzero(p)[feature];
        for (int h = 0; h < 2; ++h) {
          writer.Take(LoadPairs(from + h * kSquare), offsets, static_cast<uint32_t>(bits >> (h * kSquare)));
          offsets = NextOffsets(offsets);
        }
      }
      writer.Finish();
    }
  }
}

/// Counts the entries of the batch rows of panels [begin, end). Columns are features. A gradient may be zero where the
/// words say that it is not, so this looks at the values, as FillBatchRows does.
inline void CountBatchRows(const PanelMatrix& matrix, int64_t begin, int64_t end, Lists& lists) {
  constexpr int64_t kMost = 255;  // What a byte counts.
  for (int64_t p = begin; p < end; ++p) {
    for (int64_t block = 0; block < lists.blocks(); ++block) {
      const int64_t last = std::min((block + 1) * lists.block_cols(), lists.cols());
      int64_t counts[kPanel] = {};
      for (int64_t first = block * lists.block_cols(); first < last; first += kMost) {
        Pairs bytes = SetPairs(0);
        for (int64_t feature = first; feature < std::min(first + kMost, last); ++feature) {
          const BFloat16* const from = matrix.values<BFloat16>(p) + feature * kPanel;
          bytes =
              CountBits(bytes, NonZeros(LoadPairs(from)) | uint64_t{NonZeros(LoadPairs(from + kSquare))} << kSquare);
        }
        alignas(64) uint8_t part[kPanel];
        StorePairs(bytes, part);
        for (int r = 0; r < kPanel; ++r) counts[r] += part[r];
      }
      for (int64_t r = 0; r < matrix.rows(p); ++r) lists.SetCount(block, p * kPanel + r, counts[r]);
    }
  }
}

/// Writes the entries of `rows` <= kSquare batch rows, which have a writer each, in `features` features of a block.
inline void FillSquares(const BFloat16* values, int64_t rows, int64_t features, RowWriter* writers) {
  Pairs offsets = FirstOffsets();
  for (int64_t feature = 0; feature < features; feature += kSquare) {
    alignas(64) BFloat16 beside[kSquare * kSquare];
    const BFloat16* from = values + feature * kPanel;
    int64_t step = kPanel;
    if (const int64_t width = features - feature; width < kSquare) {
      std::fill_n(beside, kSquare * kSquare, BFloat16::FromBits(0));
      for (int64_t f = 0; f < width; ++f) std::copy_n(from + f * kPanel, kSquare, beside + f * kSquare);
      from = beside;
      step = kSquare;
    }
    Square square;
    LoadSquare(from, step, square);
    for (int r = 0; r < rows; ++r) {
      const Pairs elements = r % 2 == 0 ? square.Even(r / 2) : square.Odd(r / 2);
      writers[r].Take(elements, offsets, NonZeros(elements));
    }
    offsets = NextOffsets(offsets);
  }
}

/// Writes the entries of the batch rows of panels [begin, end).
inline void FillBatchRows(const PanelMatrix& matrix, int64_t begin, int64_t end, Lists& lists) {
  for (int64_t p = begin; p < end; ++p) {
    for (int64_t block = 0; block < lists.blocks(); ++block) {
      const int64_t first = block * lists.block_cols(), last = std::min(first + lists.block_cols(), lists.cols());
      for (int64_t top = 0; top < matrix.rows(p); top += kSquare) {
        const int64_t rows = std::min(kSquare, matrix.rows(p) - top);
        RowWriter writers[kSquare];
        for (int64_t r = 0; r < rows; ++r) writers[r] = RowWriter(lists.target(block, p * kPanel + top + r));
        FillSquares(matrix.values<BFloat16>(p) + first * kPanel + top, rows, last - first, writers);
        for (int64_t r = 0; r < rows; ++r) writers[r].Finish();
      }
    }
  }
}

inline std::unique_ptr<NonZeroLists> MakeLists(const PanelMatrix& matrix, NonZeroLists::Rows rows) {
  constexpr int64_t kGrain = 64 * 1024;  // A thread should get at least this many elements.
  auto lists = std::make_unique<Lists>(matrix, rows);
  const bool by_batch = rows == NonZeroLists::Rows::kBatch;
  const int64_t count = by_batch ? matrix.panels() : matrix.features();
  const int64_t elements = by_batch ? kPanel * matrix.features() : matrix.batch();  // Of each.
  const auto run = [&](auto* part) {
    ParallelFor(count, 1 + kGrain / (elements + 1),
                [&](int64_t begin, int64_t end) { part(matrix, begin, end, *lists); });
  };
  run(by_batch ? &CountBatchRows : &CountFeatures);
  lists->Allocate();
  run(by_batch ? &FillBatchRows : &FillFeatures);
  return lists;
}

/// Only the values differ, but counting again takes little time.
inline std::unique_ptr<NonZeroLists> MakeListsAgain(const PanelMatrix& matrix, const NonZeroLists& same_zeros) {
  return MakeLists(matrix, static_cast<const Lists&>(same_zeros).orientation());
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_LISTS_INL_H_
