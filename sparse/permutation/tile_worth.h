#pragma once

#include <algorithm>
#include <cmath>

#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// Three columns of a tile, as magnitudes [row][col].
using ThreeColumns = float[kTileSize][3];

namespace internal {

/// The differences of one column by which ExactTileMask finds the best gain.
struct ColumnDifferences {
  float upper, lower, halves;
};

inline ColumnDifferences DifferencesOf(float w0, float w1, float w2, float w3) {
  return {w0 - w1, w2 - w3, (w0 + w1) - (w2 + w3)};
}

inline float PairGain(const ColumnDifferences& a, const ColumnDifferences& b) {
  return std::max(std::fabs(a.upper - b.upper) + std::fabs(a.lower - b.lower), std::fabs(a.halves - b.halves));
}

}  // namespace internal

/// Adds to worths[i] what 2:4 keeps of a tile: the sum of the magnitudes in the mask of ExactTileMask or, along rows,
/// of the two largest of each row. Three columns of the tile are the same for all i. The fourth one is different:
/// fourth[row * stride + i]. Sums are those of floats, so they differ from a mask's by rounding.
inline void AddTileWorths(VnmInner inner, const ThreeColumns& three, const float* __restrict fourth, int64_t stride,
                          int64_t count, float* __restrict worths) {
  using internal::ColumnDifferences, internal::DifferencesOf, internal::PairGain;
  const float *const x0 = fourth, *const x1 = x0 + stride, *const x2 = x1 + stride, *const x3 = x2 + stride;
  if (inner == VnmInner::kRows) {
    float two[kTileSize], second[kTileSize];  // The sum of the two largest of the three, and the smaller of the two.
    for (int row = 0; row < kTileSize; ++row) {
      const float a = three[row][0], b = three[row][1], c = three[row][2];
      second[row] = std::max(std::min(a, b), std::min(std::max(a, b), c));
      two[row] = std::max(std::max(a, b), c) + second[row];
    }
    const float sum = (two[0] + two[1]) + (two[2] + two[3]);
    for (int64_t i = 0; i < count; ++i) {
      worths[i] += sum + ((std::max(x0[i] - second[0], 0.0f) + std::max(x1[i] - second[1], 0.0f)) +
                          (std::max(x2[i] - second[2], 0.0f) + std::max(x3[i] - second[3], 0.0f)));
    }
    return;
  }
  ColumnDifferences fixed[3];
  float sum = 0;
  for (int col = 0; col < 3; ++col) {
    fixed[col] = DifferencesOf(three[0][col], three[1][col], three[2][col], three[3][col]);
    sum += (three[0][col] + three[1][col]) + (three[2][col] + three[3][col]);
  }
  const ColumnDifferences a = fixed[0], b = fixed[1], c = fixed[2];
  const float ab = PairGain(a, b), ac = PairGain(a, c), bc = PairGain(b, c);
  for (int64_t i = 0; i < count; ++i) {
    const ColumnDifferences x = DifferencesOf(x0[i], x1[i], x2[i], x3[i]);
    const float gain = std::max(std::max(ab + PairGain(c, x), ac + PairGain(b, x)), bc + PairGain(a, x));
    const float all = sum + ((x0[i] + x1[i]) + (x2[i] + x3[i]));
    worths[i] += 0.5f * (all + gain);
  }
}

}  // namespace twofour::sparse
