// Panels of bf16: 64 batch rows side by side, one feature after the other, [features][64]. They are made from row-major
// matrices and written back to them. Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_PANEL_INL_H_
#define TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_PANEL_INL_H_

#include <algorithm>
#include <cstdint>

#include "twofour/core/kernels/simd/bf16_vectors-inl.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_stream.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

using namespace twofour::TWOFOUR_BF16;

inline constexpr int64_t kPanel = Bf16PairBucketStream::kTiling.panel;
/// bf16 of one vector. Squares of so many rows and columns are transposed together.
inline constexpr int64_t kSquare = 2 * kLanes;
static_assert(kPanel == 2 * kSquare);

/// A square of bf16 in registers: pairs of columns, for the first and the second half of the rows.
struct Square {
  Pairs low[kLanes], high[kLanes];

  /// Column 2 i (even) or 2 i + 1 of all rows.
  HWY_INLINE Pairs Even(int i) const { return FirstsOf(low[i], high[i]); }
  HWY_INLINE Pairs Odd(int i) const { return SecondsOf(low[i], high[i]); }
};

/// Loads rows of kSquare elements that are `ld` elements apart, and transposes the pairs.
template <typename T>
HWY_INLINE void LoadSquare(const T* from, int64_t ld, Square& square) {
  TWOFOUR_UNROLL
  for (int i = 0; i < kLanes; ++i) square.low[i] = LoadBf16(from + i * ld);
  TransposePairs(square.low);
  TWOFOUR_UNROLL
  for (int i = 0; i < kLanes; ++i) square.high[i] = LoadBf16(from + (kLanes + i) * ld);
  TransposePairs(square.high);
}

/// to [kSquare][pitch] = the transpose of a square.
HWY_INLINE void TransposeSquare(const BFloat16* from, int64_t ld, BFloat16* to, int64_t pitch) {
  Square square;
  LoadSquare(from, ld, square);
  TWOFOUR_UNROLL
  for (int i = 0; i < kLanes; ++i) {
    StorePairs(square.Even(i), to + 2 * i * pitch);
    StorePairs(square.Odd(i), to + (2 * i + 1) * pitch);
  }
}

/// panel [cols][pitch] = the transpose of `rows` <= pitch rows of x, which are `ld` elements apart. Of kSquare lanes of
/// which some are in use, those beyond `rows` become 0. The others are not written.
inline void PackPanel(const BFloat16* x, int64_t ld, int64_t rows, int64_t cols, BFloat16* panel,
                      int64_t pitch = kPanel) {
  for (int64_t first = 0; first < rows; first += kSquare) {
    const int64_t valid = std::min(kSquare, rows - first);
    for (int64_t col = 0; col < cols; col += kSquare) {
      const BFloat16* const from = x + first * ld + col;
      const int64_t width = std::min(kSquare, cols - col);
      if (valid == kSquare && width == kSquare) {
        TransposeSquare(from, ld, panel + col * pitch + first, pitch);
        continue;
      }
      for (int64_t c = 0; c < width; ++c) {
        BFloat16* const to = panel + (col + c) * pitch + first;
        for (int64_t r = 0; r < valid; ++r) to[r] = from[r * ld + c];
        std::fill(to + valid, to + kSquare, BFloat16::FromBits(0));
      }
    }
  }
}

/// Writes panel [cols][kPanel], cols <= kSquare, to `rows` <= kPanel row-major rows of out, which are `ld` elements
/// apart. With `stream`, it writes past the caches. out and ld must then be multiples of 64 bytes.
inline void UnpackSquare(const BFloat16* panel, int64_t cols, int64_t rows, BFloat16* out, int64_t ld, bool stream) {
  if (cols != kSquare) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < cols; ++c) out[row * ld + c] = panel[c * kPanel + row];
    }
    return;
  }
  for (int64_t first = 0; first < rows; first += kSquare) {
    Square square;
    LoadSquare(panel + first, kPanel, square);
    BFloat16* to = out + first * ld;
    const int64_t valid = std::min(kSquare, rows - first);
    TWOFOUR_UNROLL
    for (int i = 0; i < kLanes; ++i) {
      if (2 * i >= valid) break;
      stream ? StreamPairs(square.Even(i), to) : StorePairs(square.Even(i), to);
      if (2 * i + 1 >= valid) break;
      stream ? StreamPairs(square.Odd(i), to + ld) : StorePairs(square.Odd(i), to + ld);
      to += 2 * ld;
    }
  }
}

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_PAIR_BUCKET_BF16_PANEL_INL_H_
