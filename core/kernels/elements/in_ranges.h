#pragma once

#include <cstdint>

#include "twofour/core/parallel.h"

namespace twofour::kernels {

/// Calls function(begin, count) on ranges that cover [0, n), on all threads. A range has at least `grain` elements,
/// unless n is smaller.
template <typename F>
void InRanges(int64_t n, int64_t grain, const F& function) {
  ParallelFor(n, grain, [&](int64_t begin, int64_t end) { function(begin, end - begin); });
}

}  // namespace twofour::kernels
