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
  // Each row's bits are added up within the row's own four bits: first neighbours, then their sums. Adding five then
  // sets the highest of the four bits exactly for sums of three and four.
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

/// The 90 masks with two entries in each row and each column. Their order must not change, because random masks are
/// drawn by it. With pairs of columns numbered 0 = {0,1}, 1 = {0,2}, 2 = {0,3}, 3 = {1,2}, 4 = {1,3}, 5 = {2,3} (5 - p
/// is p's complement):
///   1. rows (a, 5-a) over rows (b, 5-b), a and b = 0..5: 36 masks;
///   2. for a = 0..5, rows (a, a) over rows (5-a, 5-a): 6 masks;
///   3. for every column h that both upper rows keep and every other column z that both lower rows keep (h, then z
///      ascending), with o < q the remaining columns: upper ({h,o}, {h,q}) or ({h,q}, {h,o}) over lower ({z,o}, {z,q})
///      or ({z,q}, {z,o}): 48 masks.
std::span<const TileMask> TransposableMasks();

/// The transposable mask that keeps the largest sum of magnitudes. This is also the mask with the largest gain: the sum
/// of what it keeps less the sum of what it drops.
///
/// Four columns form two pairs in three ways. Every mask fits at least one of these ways, which means that each row
/// keeps one entry of each pair. (Proof: A row misses only one way, the one that pairs the two columns it keeps. If
/// each of the three ways were missed by some row, two of the four rows would miss the same way. These two keep the
/// same columns or opposite ones, so their counts of kept entries in the four columns are all even or all odd. The
/// other two rows keep pairs with one column in common, so two of their counts are even and two are odd. The sum would
/// not be two in every column.) For a given way, its two pairs do not restrict each other: for a pair a, b, two rows
/// keep a and two keep b. With d[r] = |w|[r][a] - |w|[r][b], the pair's gain is then at most the larger of
///     |d[0] - d[1]| + |d[2] - d[3]|      "crossed": one of the upper rows and one of the lower rows keeps a,
///     |(d[0] + d[1]) - (d[2] + d[3])|    "halves": the upper two rows keep one column, the lower two the other.
/// The best gain of all masks is the largest of three sums of two such maxima. The signs of the differences tell which
/// rows keep a. This takes 47 additions and 8 maxima; summing all 90 masks would take 630 and 89.
///
/// Sums are taken by column first. Each is rounded to a float whose exponent has no upper bound, so sums of finite
/// magnitudes do not overflow. With u[c] = |w|[0][c] - |w|[1][c], l[c] = |w|[2][c] - |w|[3][c] and
/// h[c] = (|w|[0][c] + |w|[1][c]) - (|w|[2][c] + |w|[3][c]), crossed is |u[a] - u[b]| + |l[a] - l[b]|, and halves is
/// |h[a] - h[b]|.
///
/// Ties: of equal ways the first wins, in the order {0,1} {2,3}, then {0,2} {1,3}, then {0,3} {1,2}. In a pair a < b,
/// crossed wins if it equals halves. If a difference is zero, the upper of the two rows (or the upper two) keeps a.
///
/// So a mask depends on the weights alone, and every kernel gives the same result bit for bit. Magnitudes must be
/// finite.
TileMask ExactTileMask(const TileMagnitudes& magnitudes);

/// PyTorch's greedy choice: takes entries from the largest magnitude to the smallest (equal ones in row-major order),
/// and keeps each one whose row and column hold fewer than two so far. May keep only seven.
TileMask GreedyTileMask(const TileMagnitudes& magnitudes);

}  // namespace twofour::sparse
