#pragma once

#include <string>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {

// Here a VnmPattern with m = kPlainColumns stands for plain 2:4, of which v says nothing: groups of four columns keep
// all of their columns before the inner step.

inline constexpr int kPlainColumns = VnmPattern::kColumns;

inline bool IsPlain(const VnmPattern& pattern) { return pattern.m == kPlainColumns; }

/// Rules: those of Check for a V:N:M pattern, but m may be kPlainColumns.
void CheckPlainOrVnm(const VnmPattern& pattern, const FieldPath& at, Faults& faults);

/// "2:4", "2:4 along rows", or as VnmPattern::ToString.
std::string PatternName(const VnmPattern& pattern);

/// The mask that training finds for these scores: FindVnmMask with columns by their sums or, for plain 2:4, the best
/// transposable one of FindMask or FindRowMask. Throws Error as they do, on a pattern that CheckPlainOrVnm finds fault
/// with, and on sizes that do not suit plain 2:4.
Mask FindPatternMask(const Tensor& scores, const VnmPattern& pattern, std::string_view name = "weight");

}  // namespace twofour::sparse
