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
/// fractions that rise may fall into one step. A moment before step 0 is not compared with its neighbours.
class RisingMoments {
 public:
  /// `what` names an element ("stage"). `after` is what a config is told to expect, up to the step of the one before.
  RisingMoments(std::string what, std::string after) : what_(std::move(what)), after_(std::move(after)) {}

  void Check(const Moment& moment, const std::string& path, Faults& faults);

 private:
  std::string what_, after_;
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
