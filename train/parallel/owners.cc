#include "twofour/train/parallel/owners.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace twofour::train {

std::vector<int> AssignOwners(const std::vector<double>& costs, int ranks) {
  std::vector<size_t> order(costs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&costs](size_t a, size_t b) { return costs[a] > costs[b]; });
  std::vector<double> loads(static_cast<size_t>(ranks));
  std::vector<int> owners(costs.size());
  for (const size_t item : order) {
    const auto least = std::ranges::min_element(loads);  // The first of equals.
    *least += costs[item];
    owners[item] = static_cast<int>(least - loads.begin());
  }
  return owners;
}

}  // namespace twofour::train
