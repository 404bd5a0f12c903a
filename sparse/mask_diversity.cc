#include "twofour/sparse/mask_diversity.h"

#include <algorithm>
#include <cmath>

#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {
namespace {

double LogBinomial(int n, int k) { return std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0); }

double LogTileMasks() { return std::log(static_cast<double>(TransposableMasks().size())); }

/// The logarithm of the number of masks of one block of V:N:M.
double LogBlockMasks(const VnmPattern& pattern, double rows, int columns) {
  const double inner = pattern.inner == VnmInner::kRows ? rows * LogBinomial(VnmPattern::kColumns, pattern.n)
                                                        : rows / kTileSize * LogTileMasks();
  return LogBinomial(columns, VnmPattern::kColumns) + inner;
}

}  // namespace

double MaskDiversity(const VnmPattern& pattern) {
  return LogBlockMasks(pattern, pattern.v, pattern.m) / (static_cast<double>(pattern.v) * pattern.m);
}

double TileMaskDiversity() { return LogTileMasks() / (kTileSize * kTileSize); }

double MaskDiversity(const MaskFormat& format, int64_t out_features, int64_t in_features) {
  if (!format.is_vnm()) return TileMaskDiversity();
  const VnmPattern pattern = format.vnm();
  double masks = 0;
  for (int64_t row = 0; row < out_features; row += pattern.v) {
    const auto rows = static_cast<double>(std::min<int64_t>(pattern.v, out_features - row));
    for (int64_t column = 0; column < in_features; column += pattern.m) {
      masks += LogBlockMasks(pattern, rows, static_cast<int>(std::min<int64_t>(pattern.m, in_features - column)));
    }
  }
  return masks / static_cast<double>(out_features) / static_cast<double>(in_features);
}

}  // namespace twofour::sparse
