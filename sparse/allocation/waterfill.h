#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "twofour/sparse/allocation/allocation_problem.h"

namespace twofour::sparse {

/// The steps of each layer for sparsities `wanted` of which only the differences count: all are shifted by one amount
/// so that together, each clipped to its bounds, they meet the goal. What remains after rounding down goes to the
/// layers with the largest fractional parts of a step, of equal ones to some that are spread over all of them, and only
/// then to those that pass `max` by it. `wanted` must be finite, one for each layer.
std::vector<int64_t> Waterfill(const AllocationProblem& problem, std::span<const double> wanted);

}  // namespace twofour::sparse
