#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm.h"

namespace twofour::test {

/// All masks of two entries in each of four rows and in each of four columns.
inline std::vector<sparse::TileMask> AllTransposableMasks() {
  std::vector<sparse::TileMask> masks;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto mask = static_cast<sparse::TileMask>(bits);
    bool fits = true;
    for (int i = 0; i < 4; ++i) {
      int in_row = 0, in_col = 0;
      for (int j = 0; j < 4; ++j) {
        in_row += sparse::Keeps(mask, i, j);
        in_col += sparse::Keeps(mask, j, i);
      }
      fits = fits && in_row == 2 && in_col == 2;
    }
    if (fits) masks.push_back(mask);
  }
  return masks;
}

/// The most that four rows can keep of four columns.
inline double MostOfFour(const double (&magnitudes)[4][4], sparse::VnmInner inner) {
  double best = 0;
  if (inner == sparse::VnmInner::kRows) {
    for (const auto& row : magnitudes) {
      double most = 0;
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < i; ++j) most = std::max(most, row[i] + row[j]);
      }
      best += most;
    }
    return best;
  }
  static const std::vector<sparse::TileMask> masks = AllTransposableMasks();
  for (const sparse::TileMask mask : masks) {
    double sum = 0;
    for (int i = 0; i < 16; ++i) sum += sparse::Keeps(mask, i / 4, i % 4) ? magnitudes[i / 4][i % 4] : 0.0;
    best = std::max(best, sum);
  }
  return best;
}

/// Rows [0, rows) and columns [0, cols) of magnitudes that are `stride` apart.
struct BruteForceBlock {
  const double* magnitudes;
  int64_t stride, rows;
  int cols;

  /// The most that can be kept of these columns, of which there are up to four.
  double MostOf(uint32_t columns, sparse::VnmInner inner) const {
    double kept = 0;
    for (int64_t top = 0; top < rows; top += 4) {
      double four[4][4] = {};
      for (int64_t row = top; row < std::min(top + 4, rows); ++row) {
        int taken = 0;
        for (int col = 0; col < cols; ++col) {
          if (columns >> col & 1) four[row - top][taken++] = magnitudes[row * stride + col];
        }
      }
      kept += MostOfFour(four, inner);
    }
    return kept;
  }

  /// All choices of four columns (or of all, if there are fewer), in lexicographic order.
  std::vector<uint32_t> Choices() const {
    std::vector<uint32_t> choices;
    for (uint32_t bits = 0; bits < 1u << cols; ++bits) {
      if (std::popcount(bits) == std::min(cols, 4)) choices.push_back(bits);
    }
    const auto reversed = [](uint32_t bits) {
      uint32_t to = 0;
      for (int i = 0; i < 32; ++i) to |= (bits >> i & 1) << (31 - i);
      return to;
    };
    std::ranges::sort(choices, [&](uint32_t a, uint32_t b) { return reversed(a) > reversed(b); });
    return choices;
  }
};

}  // namespace twofour::test
