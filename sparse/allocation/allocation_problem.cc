#include "twofour/sparse/allocation/allocation_problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "twofour/core/error.h"

namespace twofour::sparse {
namespace {

/// A target that is copied from a message must be one that can be reached.
double ShownAtLeast(double share) { return std::max(0.0, std::ceil(share * 1e6 - 1e-4) / 1e6); }
double ShownAtMost(double share) { return std::floor(share * 1e6 + 1e-4) / 1e6; }

void RequireLayers(std::string_view owner, std::span<const LayerShape> shapes) {
  if (shapes.empty()) throw Error(fmt::format("{}: no layers, expected at least one", owner));
  Faults faults(fmt::format("{}: ", owner));
  for (size_t i = 0; i < shapes.size(); ++i) {
    const auto& [name, rows, cols] = shapes[i];
    const bool holds = std::min(rows, cols) >= 1 && std::max(rows, cols) <= kMaxFeatures;
    const std::string shape = fmt::format("[{}, {}]", rows, cols);
    const std::string expected = fmt::format("1 to {} rows and columns", kMaxFeatures);
    faults.Expect(holds, fmt::format("layers[{}]", i), shape, expected,
                  fmt::format("{}: shape {}, expected {}", name, shape, expected));
  }
  faults.Throw();
}

}  // namespace

AllocationProblem::AllocationProblem(std::string_view owner, std::span<const LayerShape> shapes,
                                     const AllocationOptions& options, std::span<const double> most)
    : names_(options.names),
      has_more_bounds_(!most.empty()),
      target_(options.Target()),
      min_(options.min),
      max_(options.max) {
  if (names_.owner.empty()) names_.owner = owner;
  owner = names_.owner;
  Checked(options, fmt::format("{}: ", owner).c_str());
  RequireLayers(owner, shapes);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const LayerSteps steps(shapes[i], options.pattern);
    const StepRange bounds = steps.Within(options.min, options.max);
    const double max = most.empty() ? options.max : std::min(options.max, most[i]);
    const StepRange range = steps.Within(options.min, max);
    if (range.from > range.to) {
      throw Error(fmt::format("{}: {}: sparsity of at most {}, expected at least {} by {}", owner, shapes[i].name, max,
                              steps.Sparsity(bounds.from), names_.min));
    }
    layers_.push_back({.steps = steps, .range = range});
    entries_ += steps.entries();
  }
}

double AllocationProblem::Goal() const {
  double least = 0, most = 0, step = 0;
  for (const auto& [steps, range] : layers_) {
    least += steps.Dropped(range.from);
    most += steps.Dropped(range.to);
    step = std::max(step, steps.LargestStep());
  }
  const double goal = target_ * entries_;
  // Where a target that all layers could have is missed, it is because of the steps.
  const bool within = IsSameSparsity(target_, std::clamp(target_, min_, max_));
  const double off = (within ? step / 2 : 0) + 1e-9 * entries_;
  if (goal < least - off || goal > most + off) {
    const auto& [owner, target, min, max] = names_;
    const std::string bounds =
        has_more_bounds_ ? fmt::format("{}, {} and the levels measured", min, max) : fmt::format("{} and {}", min, max);
    throw Error(fmt::format("{}: {} {}, expected {} to {}: what the pattern, {} allow of {}", owner, target, target_,
                            ShownAtLeast(least / entries_), ShownAtMost(most / entries_), bounds,
                            size() == 1 ? "this layer" : fmt::format("these {} layers", size())));
  }
  return std::clamp(goal, least, most);
}

Allocation AllocationProblem::After(std::span<const int64_t> steps) const {
  Allocation allocation;
  for (size_t i = 0; i < size(); ++i) {
    const LayerSteps& layer = layers_[i].steps;
    allocation.layers.push_back({.pattern = layer.PatternAt(steps[i]), .dropped = layer.Dropped(steps[i])});
    allocation.sparsity += allocation.layers.back().dropped / entries_;
  }
  return allocation;
}

}  // namespace twofour::sparse
