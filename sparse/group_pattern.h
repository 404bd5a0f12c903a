#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/pattern.h"

namespace twofour::sparse {

/// The N:M pattern "at most n of m neighbours along an axis are not zero".
struct GroupPattern {
  int64_t n = 0, m = 0;
  bool operator==(const GroupPattern&) const = default;
  /// "2:4"
  std::string ToString() const;
};

/// The most non-zeros in any group of `m` neighbours along `axis` (kRows or kColumns), which is the n of the n:m that
/// holds. -0 is zero, a NaN is not. A shorter group at the edge counts like the others. Throws Error for a tensor that
/// is no f32 matrix, and for m < 1.
int64_t MostNonZerosOfAGroup(const Tensor& matrix, PatternAxis axis, int64_t m);

/// The n:m with m of 4, 8, 16 and 32 that hold along `axis` and say something: n < m, and no pattern with a smaller m
/// implies it. An axis shorter than m has no such groups. Empty for a dense matrix.
std::vector<GroupPattern> FindGroupPatterns(const Tensor& matrix, PatternAxis axis);

}  // namespace twofour::sparse
