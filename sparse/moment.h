#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/faults.h"

namespace twofour::sparse {

/// When something of a recipe happens: at an optimizer step that, where `fraction` is given, was rounded from that part
/// of the run. In a short run, two parts that follow each other may round to one step.
struct Moment {
  int64_t step = 0;
  std::optional<double> fraction = {};
};

/// The rule for a list whose moments rise: none lies before step 0, and each comes after the one before it. Of two
/// fractions, the second may come within the same step. A moment before step 0 is compared with no other.
class RisingMoments {
 public:
  /// `what` an element is ("stage"), and how a config is told of the step of the one before, which follows.
  RisingMoments(std::string what, std::string after) : what_(std::move(what)), after_(std::move(after)) {}

  void Check(const Moment& moment, const std::string& path, Faults& faults);

 private:
  std::string what_, after_;
  std::optional<Moment> before_;
};

/// Leaves out what the next element of a list replaces at once, since both begin in the same step.
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
