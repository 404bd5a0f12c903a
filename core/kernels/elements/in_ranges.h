#pragma once

#include <cstdint>

#include "twofour/core/parallel.h"

namespace twofour::kernels {

/// function(begin, count) on ranges that cover [0, n), threaded; at least `grain` elements are worth a thread.
template <typename F>
void InRanges(int64_t n, int64_t grain, const F& function) {
  ParallelFor(n, grain, [&](int64_t begin, int64_t end) { function(begin, end - begin); });
}

}  // namespace twofour::kernels
