#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/faults.h"

namespace twofour::sparse {

/// When a part of a recipe happens: at an optimizer step. If `fraction` is given, the step was rounded from that part
/// of the run. In a short run, two different fractions may round to one step.
struct Moment {
  int64_t step = 0;
  std::optional<double> fraction = {};
};

/// Checks that the moments of a list rise: none is before step 0, and each is later than the one before it. Two
/// fractions that rise may fall into one step. A moment that has a fault is not compared with the next one.
class RisingMoments {
 public:
  /// `after` is what a message says to expect, up to the step of the one before.
  explicit RisingMoments(std::string after) : after_(std::move(after)) {}

  void Check(const Moment& moment, const std::string& path, Faults& faults);

 private:
  std::string after_;
  std::optional<Moment> before_;
};

/// Leaves out each element that begins in the same step as the next one, which replaces it at once.
template <typename T>
void LeaveOutReplaced(std::vector<T>& list) {
  std::vector<T> kept;
  for (auto item = list.begin(); item != list.end(); ++item) {
    const auto next = std::next(item);
    if (next == list.end() || next->step != item->step) kept.push_back(*item);
  }
  list = std::move(kept);
}

}  // namespace twofour::sparse
