// Copies blocks of A and B in the order in which tiles read them, as pairs of bf16 that are neighbours in depth.
// Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_CORE_KERNELS_GEMM_BF16_GEMM_PACK_INL_H_
#define TWOFOUR_CORE_KERNELS_GEMM_BF16_GEMM_PACK_INL_H_

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::kernels::TWOFOUR_BF16 {
namespace bf16_gemm {

using namespace twofour::TWOFOUR_BF16;

/// Rows and columns of a tile of C: with two vectors of B and one pair of A it fills the registers.
inline constexpr int kTileRows = 14;
inline constexpr int64_t kPanel = 2 * kLanes;

// A thread packs [depth pairs][kLanes] of A for each tile of rows: two of the lanes are not used. So each step of depth
// is one cache line. Panels of B are [depth pairs][kPanel]. Beyond the depth there are zeros. Beyond the rows of A and
// the columns of B there is anything, because it takes part in no sum that is kept.

/// Rows of depth by which the next elements of a matrix are fetched ahead, where they lie far apart.
inline constexpr int64_t kRowsAhead = 12;

/// Copies `count` <= 2 kLanes elements, followed by zeros.
template <typename T>
struct Padded {
  Padded(const T* from, int64_t count) {
    std::fill(std::copy_n(from, count, elements), elements + 2 * kLanes, static_cast<T>(0.0f));
  }
  T elements[2 * kLanes];
};

/// to [pairs][pitch] = `rows` <= kLanes stored rows, which are `ld` elements apart and `depth` long, turned: pair l of
/// row r goes to to[l * pitch + r]. The last row takes the place of missing ones.
template <typename T>
void PackTurned(int64_t rows, int64_t depth, const T* from, int64_t ld, uint32_t* to, int64_t pitch) {
  const int64_t last_row = std::max<int64_t>(rows - 1, 0);
  for (int64_t first = 0; first < depth; first += 2 * kLanes) {
    const int64_t count = std::min<int64_t>(2 * kLanes, depth - first);
    Pairs r[kLanes];
    if (count == 2 * kLanes) {
      if constexpr (sizeof(T) == 2) {  // Such rows are too short for the processor to foresee the reads by itself.
        for (int i = 0; i < kLanes; ++i) hwy::Prefetch(from + (i + rows) * ld + first);
      }
      TWOFOUR_UNROLL
      for (int i = 0; i < kLanes; ++i) {
        r[i] = LoadBf16(from + std::min<int64_t>(i, last_row) * ld + first);
      }
    } else {
      for (int i = 0; i < kLanes; ++i) {
        const Padded<T> row(from + std::min<int64_t>(i, last_row) * ld + first, count);
        r[i] = LoadBf16(row.elements);
      }
    }
    TransposePairs(r);
    const int64_t pairs = CeilDiv(count, 2);
    for (int64_t l = 0; l < pairs; ++l) StorePairs(r[l], to + (first / 2 + l) * pitch);
  }
}

/// kLanes pairs: elements of two stored rows, of which `cols` are there. `second` may be null.
template <typename T>
HWY_INLINE Pairs PairsOfRows(const T* first, const T* second, int64_t cols) {
  if (cols >= kLanes && second != nullptr) return PairHalves(LoadBf16(first, second));
  const int64_t count = std::min<int64_t>(cols, kLanes);
  const Padded<T> upper(first, count), lower(second == nullptr ? first : second, second == nullptr ? 0 : count);
  return PairHalves(LoadBf16(upper.elements, lower.elements));
}

template <typename T>
HWY_INLINE void PrefetchTwoRows(const T* first, int64_t ld, int64_t count) {
  for (int64_t i = 0; i < count; i += 64 / static_cast<int64_t>(sizeof(T))) {
    hwy::Prefetch(first + i);
    hwy::Prefetch(first + ld + i);
  }
}

/// Packs the tiles of rows [row, row + rows) and depth [first, first + depth) of op(A), one after the other.
template <typename A, typename B, typename C>
void PackA(const GemmProblem<A, B, C>& p, int64_t row, int64_t rows, int64_t first, int64_t depth, uint32_t* to) {
  const int64_t tile_pairs = CeilDiv(depth, 2) * kLanes;
  if (p.transpose_a == Transpose::kNo) {
    for (int64_t i = 0; i < rows; i += kTileRows) {
      PackTurned(std::min<int64_t>(kTileRows, rows - i), depth, p.a + (row + i) * p.lda + first, p.lda,
                 to + i / kTileRows * tile_pairs, kLanes);
    }
    return;
  }
  // All tiles at once, because their elements of one step of depth are neighbours and the next step may lie pages
  // apart.
  for (int64_t l = 0; l < depth; l += 2) {
    const A* const at = p.a + (first + l) * p.lda + row;
    if (l + kRowsAhead + 1 < depth) PrefetchTwoRows(at + kRowsAhead * p.lda, p.lda, rows);
    uint32_t* const step = to + l / 2 * kLanes;
    for (int64_t i = 0; i < rows; i += kTileRows) {
      StorePairs(PairsOfRows(at + i, l + 1 < depth ? at + p.lda + i : nullptr, p.m - row - i),
                 step + i / kTileRows * tile_pairs);
    }
  }
}

/// Packs columns [col, col + width) and depth [first, first + depth) of op(B) into panels.
template <typename A, typename B, typename C>
void PackB(const GemmProblem<A, B, C>& p, int64_t col, int64_t width, int64_t first, int64_t depth, uint32_t* to) {
  const int64_t panel_pairs = CeilDiv(depth, 2) * kPanel;
  if (p.transpose_b == Transpose::kYes) {
    for (int64_t j = 0; j < RoundUp(width, kPanel); j += kLanes) {
      const int64_t cols = std::clamp<int64_t>(width - j, 0, kLanes);
      PackTurned(cols, depth, p.b + (cols > 0 ? col + j : 0) * p.ldb + first, p.ldb,
                 to + j / kPanel * panel_pairs + j % kPanel, kPanel);
    }
    return;
  }
  for (int64_t l = 0; l < depth; l += 2) {
    const B* const at = p.b + (first + l) * p.ldb + col;
    if (l + kRowsAhead + 1 < depth) PrefetchTwoRows(at + kRowsAhead * p.ldb, p.ldb, width);
    uint32_t* const row = to + l / 2 * kPanel;
    for (int64_t j = 0; j < RoundUp(width, kPanel); j += kLanes) {
      const int64_t cols = std::max<int64_t>(width - j, 0), from = cols > 0 ? j : 0;
      StorePairs(PairsOfRows(at + from, l + 1 < depth ? at + p.ldb + from : nullptr, cols),
                 row + j / kPanel * panel_pairs + j % kPanel);
    }
  }
}

}  // namespace bf16_gemm
}  // namespace twofour::kernels::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_CORE_KERNELS_GEMM_BF16_GEMM_PACK_INL_H_
