// Products of Bf16ActivationLists with a dense matrix. Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_LIST_PRODUCT_INL_H_
#define TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_LIST_PRODUCT_INL_H_

#include <algorithm>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/fused_mlp/bf16_lists-inl.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/fused_mlp/list_work.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

/// Squares of columns in a panel of the dense matrix, and vectors of their sums in order.
inline constexpr int kListSquares = Lists::kPanel / kSquare;
inline constexpr int kListVectors = 2 * kListSquares;

/// Adds a joined entry of a list to `sum`.
HWY_INLINE void AddEntry(const Lists::List& list, int64_t entry, const char* dense, Floats (&sum)[kListVectors]) {
  const uint16_t* const offsets = list.offsets[entry];
  const char *const x0 = dense + Lists::kUnit * offsets[0], *const x1 = dense + Lists::kUnit * offsets[1];
  const Pairs w = SetPairs(list.values[entry]);
  TWOFOUR_UNROLL
  for (int h = 0; h < kListSquares; ++h) {
    const Pairs a = Loaded(LoadPairs(x0 + h * sizeof(Pairs))), b = Loaded(LoadPairs(x1 + h * sizeof(Pairs)));
    sum[2 * h] = DotPairs(sum[2 * h], w, InterleaveLower(a, b));
    sum[2 * h + 1] = DotPairs(sum[2 * h + 1], w, InterleaveUpper(a, b));
  }
}

/// sums [kPanel] = a list times its block's rows of the dense matrix, plus the sums if `add` says so.
HWY_INLINE void RunList(const Lists::List& list, bool add, const BFloat16* dense, float* sums) {
  // Every other entry has sums of its own, because additions to one sum wait for each other.
  Floats even[kListVectors], odd[kListVectors];
  TWOFOUR_UNROLL
  for (int v = 0; v < kListVectors; ++v) {
    even[v] = add ? LoadFloats(sums + v * kLanes) : ZeroFloats();
    odd[v] = ZeroFloats();
  }
  const char* const bytes = reinterpret_cast<const char*>(dense);
  int64_t entry = 0;
  for (; entry + 1 < list.count; entry += 2) {
    AddEntry(list, entry, bytes, even);
    AddEntry(list, entry + 1, bytes, odd);
  }
  if (entry < list.count) AddEntry(list, entry, bytes, even);
  TWOFOUR_UNROLL
  for (int v = 0; v < kListVectors; ++v) StoreFloats(Add(even[v], odd[v]), sums + v * kLanes);
}

/// out [rows][kPanel] = `cols` <= kPanel columns of a row-major matrix whose rows are `ld` elements apart, in an order
/// that interleaving undoes. Zeros take the place of missing columns.
template <typename T>
void PackColumns(const T* from, int64_t ld, int64_t rows, int64_t cols, BFloat16* out) {
  for (int64_t r = 0; r < rows; ++r, from += ld, out += Lists::kPanel) {
    for (int64_t c = 0; c < Lists::kPanel; c += kSquare) {
      if (c + kSquare <= cols) {
        StorePairs(UndoInterleave(LoadBf16(from + c)), out + c);
      } else {
        T last[kSquare];
        const int64_t count = std::clamp<int64_t>(cols - c, 0, kSquare);
        std::fill(std::copy_n(from + (count > 0 ? c : 0), count, last), last + kSquare, static_cast<T>(0.0f));
        StorePairs(UndoInterleave(LoadBf16(last)), out + c);
      }
    }
  }
}

/// The same for a matrix that is stored transposed, [cols][ld].
template <typename T>
void PackTransposedColumns(const T* from, int64_t ld, int64_t rows, int64_t cols, BFloat16* out) {
  for (int64_t c = 0; c < Lists::kPanel; c += kSquare) {
    const int64_t width = std::clamp<int64_t>(cols - c, 0, kSquare);
    for (int64_t r = 0; r < rows; r += kSquare) {
      const int64_t height = std::min(kSquare, rows - r);
      alignas(64) T beside[kSquare * kSquare];
      const T* at = from + c * ld + r;
      int64_t step = ld;
      if (width < kSquare || height < kSquare) {
        std::fill_n(beside, kSquare * kSquare, static_cast<T>(0.0f));
        for (int64_t i = 0; i < width; ++i) std::copy_n(from + (c + i) * ld + r, height, beside + i * kSquare);
        at = beside;
        step = kSquare;
      }
      Square square;
      LoadSquare(at, step, square);
      for (int64_t i = 0; i < height; ++i) {
        const int pair = static_cast<int>(i / 2);
        StorePairs(UndoInterleave(i % 2 == 0 ? square.Even(pair) : square.Odd(pair)),
                   out + (r + i) * Lists::kPanel + c);
      }
    }
  }
}

/// out [rows][kPanel] = a panel of columns of a dense matrix [rows, n], from `first` on.
inline void PackColumns(const FusedMlpKernel::Dense& matrix, int64_t rows, int64_t n, int64_t first, BFloat16* out) {
  const int64_t cols = std::min(Lists::kPanel, n - first);
  const auto pack = [&](const auto* data) {
    matrix.transposed ? PackTransposedColumns(data + first * matrix.ld, matrix.ld, rows, cols, out)
                      : PackColumns(data + first, matrix.ld, rows, cols, out);
  };
  matrix.is_weight ? pack(static_cast<const float*>(matrix.data)) : pack(static_cast<const BFloat16*>(matrix.data));
}

/// sums [end - begin][kPanel] = rows [begin, end) of the lists times `columns` [lists.cols()][kPanel].
inline void SumLists(const Lists& lists, int64_t begin, int64_t end, const BFloat16* columns, float* sums) {
  if (lists.blocks() == 0) std::fill_n(sums, (end - begin) * Lists::kPanel, 0.0f);
  for (int64_t block = 0; block < lists.blocks(); ++block) {
    const BFloat16* const dense = columns + block * lists.block_cols() * Lists::kPanel;
    for (int64_t row = begin; row < end; ++row) {
      RunList(lists.list(block, row), block > 0, dense, sums + (row - begin) * Lists::kPanel);
    }
  }
}

/// Writes sums [rows][kPanel] plus the bias [cols], which may be null, to `rows` rows of `cols` columns, rounded.
inline void WriteRounded(const float* sums, int64_t rows, int64_t cols, const float* bias, BFloat16* out, int64_t ld) {
  for (int64_t row = 0; row < rows; ++row, sums += Lists::kPanel, out += ld) {
    for (int64_t c = 0; c < cols; c += kSquare) {
      const int64_t count = std::min(kSquare, cols - c);
      alignas(64) float added[kSquare];
      const float* from = sums + c;
      if (bias != nullptr) {
        for (int64_t i = 0; i < count; ++i) added[i] = from[i] + bias[c + i];
        from = added;
      }
      if (count == kSquare) {
        StorePairs(LoadBf16(from), out + c);
      } else {
        for (int64_t i = 0; i < count; ++i) out[c + i] = BFloat16::FromBits(BitsOf(from[i]));
      }
    }
  }
}

/// Writes sums [rows][kPanel] to `rows` rows of `cols` columns, or turned.
inline void WriteWeightGrad(const float* sums, int64_t rows, int64_t cols, bool transposed, float* out, int64_t ld) {
  if (!transposed) {
    for (int64_t row = 0; row < rows; ++row) std::copy_n(sums + row * Lists::kPanel, cols, out + row * ld);
    return;
  }
  for (int64_t row = 0; row < rows; row += kLanes) {
    const int64_t height = std::min<int64_t>(kLanes, rows - row);
    for (int64_t c = 0; c < cols; c += kLanes) {
      const int64_t width = std::min<int64_t>(kLanes, cols - c);
      const float* const from = sums + row * Lists::kPanel + c;
      if (height < kLanes || width < kLanes) {
        for (int64_t i = 0; i < width; ++i) {
          for (int64_t r = 0; r < height; ++r) out[(c + i) * ld + row + r] = from[r * Lists::kPanel + i];
        }
        continue;
      }
      Pairs square[kLanes];  // Floats, which are transposed as pairs are.
      TWOFOUR_UNROLL
      for (int r = 0; r < kLanes; ++r) square[r] = LoadPairs(from + r * Lists::kPanel);
      TransposePairs(square);
      TWOFOUR_UNROLL
      for (int i = 0; i < kLanes; ++i) StorePairs(square[i], out + (c + i) * ld + row);
    }
  }
}

inline void ListProduct(const NonZeroLists& nonzeros, const FusedMlpKernel::Dense& matrix, int64_t n, const float* bias,
                        const FusedMlpKernel::Output& output) {
  const auto& lists = static_cast<const Lists&>(nonzeros);
  const ListWork work(lists.rows(), lists.cols(), n, Lists::kPanel);
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<BFloat16> columns(lists.cols() * Lists::kPanel);
    AlignedBuffer<float> sums(work.rows * Lists::kPanel);
    int64_t packed = -1;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t panel = item / work.ranges, first_col = panel * Lists::kPanel;
      const int64_t cols = std::min(Lists::kPanel, n - first_col);
      const int64_t row = item % work.ranges * work.rows, end_row = std::min(row + work.rows, lists.rows());

      // 1. columns [lists.cols()][kPanel] = the panel of the dense matrix, unless the last item had the same.
      if (panel != packed) PackColumns(matrix, lists.cols(), n, first_col, columns.data());
      packed = panel;

      // 2. sums [end_row - row][kPanel] = lists times columns.
      SumLists(lists, row, end_row, columns.data(), sums.data());

      // 3. Write them.
      if (output.is_weight) {
        auto* const out = static_cast<float*>(output.data);
        WriteWeightGrad(sums.data(), end_row - row, cols, output.transposed,
                        output.transposed ? out + first_col * lists.rows() + row : out + row * n + first_col,
                        output.transposed ? lists.rows() : n);
      } else {
        WriteRounded(sums.data(), end_row - row, cols, bias == nullptr ? nullptr : bias + first_col,
                     static_cast<BFloat16*>(output.data) + row * n + first_col, n);
      }
    }
  });
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_FUSED_MLP_BF16_LIST_PRODUCT_INL_H_
