#include "twofour/sparse/allocation/outlier_allocation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/allocation/allocation_problem.h"
#include "twofour/sparse/allocation/waterfill.h"

namespace twofour::sparse {
namespace {

constexpr char kOwner[] = "AllocateByOutliers";

void RequireShares(std::span<const LayerShape> layers, std::span<const double> shares) {
  if (shares.size() != layers.size()) {
    throw Error(fmt::format("{}: {} outlier shares for {} layers, expected one for each", kOwner, shares.size(),
                            layers.size()));
  }
  Faults faults(fmt::format("{}: ", kOwner), ": outlier share ");
  for (size_t i = 0; i < layers.size(); ++i) faults.AtLeast(layers[i].name, shares[i], 0);
  faults.Throw();
}

}  // namespace

void Check(const OutlierAllocationOptions& options, const FieldPath& at, Faults& faults) {
  Check(options.allocation, at.In("allocation"), faults);
  faults.Between(at("lambda"), options.lambda, 0, 1);
}

Allocation AllocateByOutliers(std::span<const LayerShape> layers, std::span<const double> outlier_shares,
                              const OutlierAllocationOptions& options) {
  Checked(options, "AllocateByOutliers: ");
  const AllocationProblem problem(kOwner, layers, options.allocation);
  RequireShares(layers, outlier_shares);
  const auto [least, most] = std::ranges::minmax(outlier_shares);
  std::vector<double> wanted;
  for (const double share : outlier_shares) {
    wanted.push_back(most > least ? -2 * options.lambda * ((share - least) / (most - least)) : 0);
  }
  return problem.After(Waterfill(problem, wanted));
}

}  // namespace twofour::sparse
