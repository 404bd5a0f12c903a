#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace twofour::sparse {

/// Which of a 4x4 tile's sixteen entries are kept: bit 4 * row + col.
using TileMask = uint16_t;

inline constexpr int kTileSize = 4;

inline bool Keeps(TileMask mask, int row, int col) { return (mask >> (kTileSize * row + col)) & 1; }
inline int CountKept(TileMask mask) { return std::popcount(mask); }

/// Whether no row and no column keeps more than two.
inline bool IsTwoOfFour(TileMask mask) {
  // Each row's bits are added within the row's own four bits: neighbours, then their sums. Five more, and three or four
  // have reached the highest of the four.
  const auto above_two = [](uint32_t lines) {
    const uint32_t pairs = (lines & 0x5555u) + (lines >> 1 & 0x5555u);
    const uint32_t sums = (pairs & 0x3333u) + (pairs >> 2 & 0x3333u);
    return (sums + 0x5555u) & 0x8888u;
  };
  // The transposed tile: bit 4 * col + row.
  uint32_t transposed = mask;
  const auto swap = [&transposed](int distance, uint32_t those) {
    const uint32_t differ = (transposed ^ transposed >> distance) & those;
    transposed ^= differ ^ differ << distance;
  };
  swap(3, 0x0A0Au);
  swap(6, 0x00CCu);
  return above_two(mask) == 0 && above_two(transposed) == 0;
}

/// |w| of a tile, row-major.
using TileMagnitudes = std::array<float, 16>;

/// The 90 masks with two entries in each row and each column, in the order that settles ties: see ExactTileMask.
std::span<const TileMask> TransposableMasks();

/// The transposable mask that keeps the largest sum of magnitudes.
///
/// The sum is taken as (row 0 + row 1) + (row 2 + row 3), each row as (left + right), and rounded each time to a float,
/// one whose exponent has no upper bound: sums of finite magnitudes do not overflow. The search looks at
/// the 19 families in which the choice of the upper two rows does not restrict the lower two: the best upper half (by
/// row 0 + row 1), the best lower half, and the family with the largest of their sums. Ties, of halves and of sums, go
/// to the first in the order below; halves are compared before they are added, so a difference counts even where the
/// sum of all rows rounds it away. With pairs of columns numbered
/// 0 = {0,1}, 1 = {0,2}, 2 = {0,3}, 3 = {1,2}, 4 = {1,3}, 5 = {2,3} (5 - p is p's complement):
///   1. rows (a, 5-a) over rows (b, 5-b), a and b = 0..5: 36 masks;
///   2. for a = 0..5, rows (a, a) over rows (5-a, 5-a): 6 masks;
///   3. for every column h that both upper rows keep and every other column z that both lower rows keep (h, then z
///      ascending), with o < q the remaining columns: upper ({h,o}, {h,q}) or ({h,q}, {h,o}) over lower ({z,o}, {z,q})
///      or ({z,q}, {z,o}): 48 masks.
/// A mask so depends on the weights alone. Every kernel gives this result bit for bit. Magnitudes must be finite.
TileMask ExactTileMask(const TileMagnitudes& magnitudes);

/// PyTorch's greedy choice, by magnitude: entries from the largest to the smallest (equal ones in row-major order),
/// kept while their row and their column hold fewer than two. May keep only seven.
TileMask GreedyTileMask(const TileMagnitudes& magnitudes);

}  // namespace twofour::sparse
