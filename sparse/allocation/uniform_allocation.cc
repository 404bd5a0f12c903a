#include "twofour/sparse/allocation/uniform_allocation.h"

#include <cmath>
#include <vector>

#include "twofour/sparse/allocation/allocation_problem.h"
#include "twofour/sparse/allocation/waterfill.h"

namespace twofour::sparse {

Allocation AllocateUniformly(std::span<const LayerShape> layers, const AllocationOptions& options) {
  const AllocationProblem problem("AllocateUniformly", layers, options);
  const double target = options.Target();
  if (!options.pattern.has_budget()) {
    // n and m are those of all layers, and so are the bounds.
    const auto& [steps, range] = problem.layers().front();
    const double at = std::round(steps.At(target));
    if (IsSameSparsity(steps.Sparsity(at), target) && at >= range.from && at <= range.to) {
      return problem.After(std::vector(layers.size(), static_cast<int64_t>(at)));
    }
  }
  return problem.After(Waterfill(problem, std::vector(layers.size(), target)));
}

}  // namespace twofour::sparse
