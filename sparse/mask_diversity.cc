#include "twofour/sparse/mask_diversity.h"

#include <cmath>

#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {
namespace {

double LogBinomial(int n, int k) { return std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0); }

double LogTileMasks() { return std::log(static_cast<double>(TransposableMasks().size())); }

}  // namespace

double MaskDiversity(const VnmPattern& pattern) {
  const double v = pattern.v;
  const double inner = pattern.inner == VnmInner::kRows ? v * LogBinomial(VnmPattern::kColumns, pattern.n)
                                                        : v / kTileSize * LogTileMasks();
  return (LogBinomial(pattern.m, VnmPattern::kColumns) + inner) / (v * pattern.m);
}

double TileMaskDiversity() { return LogTileMasks() / (kTileSize * kTileSize); }

}  // namespace twofour::sparse
