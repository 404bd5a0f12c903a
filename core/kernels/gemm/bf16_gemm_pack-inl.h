// Copies blocks of A and B in the order in which tiles read them, as pairs of bf16 that are neighbours in depth.
// Compiled twice: see bf16_vectors-inl.h.
#ifndef TWOFOUR_CORE_KERNELS_GEMM_BF16_GEMM_PACK_INL_H_
#define TWOFOUR_CORE_KERNELS_GEMM_BF16_GEMM_PACK_INL_H_

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
// is one cache line. Panels of B are [depth pairs][kPanel]. Beyond the matrix there are zeros.

/// Copies `count` < kLanes elements, followed by zeros.
template <typename T>
struct Padded {
  Padded(const T* from, int64_t count) {
    std::fill(std::copy_n(from, count, elements), elements + 2 * kLanes, static_cast<T>(0.0f));
  }
  T elements[2 * kLanes];
};

/// to [pairs][pitch] = `rows` <= kLanes stored rows, which are `ld` elements apart and `depth` long, turned: pair l of
/// row r goes to to[l * pitch + r]. Zeros take the place of missing rows.
template <typename T>
void PackTurned(int64_t rows, int64_t depth, const T* from, int64_t ld, uint32_t* to, int64_t pitch) {
  for (int64_t first = 0; first < depth; first += 2 * kLanes) {
    const int64_t count = std::min<int64_t>(2 * kLanes, depth - first);
    Pairs r[kLanes];
    if (rows == kLanes && count == 2 * kLanes) {
      TWOFOUR_UNROLL
      for (int i = 0; i < kLanes; ++i) {
        r[i] = LoadBf16(from + i * ld + first);
      }
    } else {
      for (int i = 0; i < kLanes; ++i) {
        const Padded<T> row(from + (i < rows ? i * ld + first : 0), i < rows ? count : 0);
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

/// Packs the tile of rows [row, row + rows) and depth [first, first + depth) of op(A).
template <typename A, typename B, typename C>
void PackA(const GemmProblem<A, B, C>& p, int64_t row, int64_t rows, int64_t first, int64_t depth, uint32_t* to) {
  if (p.transpose_a == Transpose::kNo) {
    return PackTurned(rows, depth, p.a + row * p.lda + first, p.lda, to, kLanes);
  }
  for (int64_t l = 0; l < depth; l += 2) {
    const A* const at = p.a + (first + l) * p.lda + row;
    StorePairs(PairsOfRows(at, l + 1 < depth ? at + p.lda : nullptr, p.m - row), to + l / 2 * kLanes);
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
