#include "twofour/sparse/best_tile_mask.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/never_destroyed.h"

namespace twofour::sparse {
namespace {

bool KeepsInEachLine(TileMask mask, int n) {
  for (int line = 0; line < kTileSize; ++line) {
    int in_row = 0, in_col = 0;
    for (int other = 0; other < kTileSize; ++other) {
      in_row += Keeps(mask, line, other);
      in_col += Keeps(mask, other, line);
    }
    if (in_row != n || in_col != n) return false;
  }
  return true;
}

double SumOfKept(const TileMagnitudes& magnitudes, TileMask mask) {
  double sum = 0;
  for (int row = 0; row < kTileSize; ++row) {
    for (int col = 0; col < kTileSize; ++col) {
      if (Keeps(mask, row, col)) sum += static_cast<double>(magnitudes[kTileSize * row + col]);
    }
  }
  return sum;
}

}  // namespace

std::span<const TileMask> TransposableMasks(int n) {
  static const NeverDestroyed<std::array<std::vector<TileMask>, kTileSize + 1>> all([] {
    std::array<std::vector<TileMask>, kTileSize + 1> masks;
    for (int word = 0; word <= 0xffff; ++word) {
      const auto mask = static_cast<TileMask>(word);
      const int per_line = CountKept(mask) / kTileSize;
      if (KeepsInEachLine(mask, per_line)) masks[per_line].push_back(mask);
    }
    return masks;
  }());
  if (n < 1 || n > kTileSize) throw Error(fmt::format("masks that keep {} of 4, expected 1 to 4", n));
  return (*all)[n];
}

TileMask BestTileMask(int n, const TileMagnitudes& magnitudes, TileMask within) {
  TileMask best = 0;
  double best_sum = -1;
  for (const TileMask mask : TransposableMasks(n)) {
    if ((mask & ~within) != 0) continue;
    const double sum = SumOfKept(magnitudes, mask);
    if (sum > best_sum) {
      best = mask;
      best_sum = sum;
    }
  }
  if (best == 0) throw Error(fmt::format("tile mask {:#06x} holds none that keeps {} of 4 both ways", within, n));
  return best;
}

}  // namespace twofour::sparse
