#pragma once

#include <cstdint>
#include <span>

#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// Scores that are not negative: [rows, cols], row-major.
struct ScoreMatrix {
  const float* data = nullptr;
  int64_t rows = 0, cols = 0;
};

// Both functions add to gains[i * holes.size() + c] `factor` times what a pattern keeps of one group of channels if
// channel holes[c] takes the place holes[i]. Sums are rounded as floats are. Which columns a block keeps is decided as
// FindVnmMask does, so the numbers are those of the masks, apart from rounding. For plain 2:4 see pattern_mask.h.

/// Channels are columns, and a group is pattern.m columns, of all rows. At most one hole of each group.
void AddColumnGains(const ScoreMatrix& scores, const VnmPattern& pattern, std::span<const int64_t> holes, double factor,
                    std::span<double> gains);

/// Channels are rows, and a group is the pattern.v rows that share a choice of columns. If a group has several holes,
/// the other ones count as unchanged, and a channel of the group itself as if the group did not lose it. For plain 2:4
/// a group is the four rows of a tile, with at most one hole each; along rows, nothing depends on the order of the
/// rows, and nothing is added.
void AddRowGains(const ScoreMatrix& scores, const VnmPattern& pattern, std::span<const int64_t> holes, double factor,
                 std::span<double> gains);

}  // namespace twofour::sparse
