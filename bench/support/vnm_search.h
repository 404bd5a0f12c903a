#pragma once

#include "twofour/core/tensor.h"

namespace twofour::bench {

/// Prints what a search for V:N:M masks of f32 scores [rows, cols] costs, and what it retains, for patterns from
/// 4:2:5 to 128:2:16, both inner steps and every choice of columns. Times are of one thread, in nanoseconds for each
/// entry of the scores. What is retained is the sum of |score| in the mask: as a share of the sum over all, and of what
/// the exact choice retains.
void BenchVnmSearch(const Tensor& scores, int rounds);

}  // namespace twofour::bench
