#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <vector>

namespace twofour::train {

/// The middle value, or the larger of the two in the middle. `values` must not be empty.
inline double Median(std::vector<double> values) {
  assert(!values.empty());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace twofour::train
