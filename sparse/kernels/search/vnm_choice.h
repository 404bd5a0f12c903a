#pragma once

// Which four columns a block of a V:N:M mask keeps, for blocks side by side, on the calling thread. All instruction
// sets give the same bits.
#include <cstdint>

#include "twofour/sparse/kernels/search/row_groups.h"
#include "twofour/sparse/vnm.h"
#include "twofour/sparse/vnm_column_choice.h"

namespace twofour::sparse {

/// Scores of `groups` blocks side by side, each of `m` columns and of the same rows. Only magnitudes count.
struct BlockRow {
  const float* scores;
  int64_t stride;  ///< From one row to the next.
  int64_t rows, groups;
  int m;  ///< From 5 to kMostInGroup.
};

/// Writes a word for each block, in which the bits of the chosen columns are set. The sum of a column adds up its
/// magnitudes one by one, from the first row on. Where a sum is 2^124 or more, all functions choose by sums alone. A
/// block with a NaN or an infinity has any number of bits set.
void ChooseBySums(const BlockRow& blocks, uint32_t* chosen);

/// What the inner step keeps of four columns is half of their sum and half of their gain: that of the best mask of each
/// tile (see ExactTileMask) or, along rows, by how much the two largest of each row exceed the other two. So columns
/// are compared by sum + gain. From one tile or row to the next, gains are added up one by one.
///
/// A block begins with its choice by sums. At most kMostExchanges times, the column is exchanged for another one by
/// which it gains most; of equal exchanges, the one with the first new column, and then the first old one. Along rows,
/// the gain of a column beside three others is what it exceeds the second largest of them by, in each row.
void ChooseByExchanges(const BlockRow& blocks, VnmInner inner, uint32_t* chosen);
inline constexpr int kMostExchanges = 8;

/// The best of all choices; of equal ones, the first in lexicographic order. m is at most kMostExactColumns.
void ChooseOfAll(const BlockRow& blocks, VnmInner inner, uint32_t* chosen);

}  // namespace twofour::sparse
