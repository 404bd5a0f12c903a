#pragma once

#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// How a V:N:M mask chooses the four columns that a block keeps.
enum class VnmColumnChoice {
  kSums,   ///< Those with the largest sums of scores, as in the papers; of equal ones, the first.
  kKept,   ///< By what the inner step keeps of them: as kExact in blocks of up to 8 columns. In wider ones, those of
           ///< kSums are exchanged, one at a time, while more is kept.
  kExact,  ///< Of all choices, the one of which the inner step keeps most.
};

/// "sums", "kept", "exact".
std::string_view NameOf(VnmColumnChoice choice);

/// The widest blocks for kExact: there are 1820 ways to choose four columns of 16.
inline constexpr int kMostExactColumns = 16;

/// Rule: blocks for kExact have at most kMostExactColumns columns.
void CheckChoice(VnmColumnChoice choice, const VnmPattern& pattern, const FieldPath& at, Faults& faults);
/// Throws Error on what CheckChoice finds fault with.
void RequireChoice(VnmColumnChoice choice, const VnmPattern& pattern);

}  // namespace twofour::sparse
