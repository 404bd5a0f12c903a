#include "twofour/sparse/allocation/sensitivity_allocation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <tuple>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/allocation/allocation_problem.h"

namespace twofour::sparse {
namespace {

constexpr char kOwner[] = "AllocateBySensitivity";

void RequireCurves(std::span<const LayerShape> layers, std::span<const SensitivityCurve> curves) {
  if (curves.size() != layers.size()) {
    throw Error(
        fmt::format("{}: {} curves for {} layers, expected one for each", kOwner, curves.size(), layers.size()));
  }
  Faults faults(fmt::format("{}: ", kOwner));
  for (size_t i = 0; i < layers.size(); ++i) CheckCurve(curves[i], layers[i].name, faults);
  faults.Throw();
}

/// Steps of one layer that are taken one after another.
struct Segment {
  int turn = 0;          ///< First those up to a bound, last those that pass one.
  double per_entry = 0;  ///< Loss.
  size_t layer = 0;
  int64_t from = 0, to = 0;

  bool operator<(const Segment& other) const {
    return std::tie(turn, per_entry, layer, from) < std::tie(other.turn, other.per_entry, other.layer, other.from);
  }
};

/// Where a layer stands after so many steps.
struct Corner {
  int64_t steps = 0;
  double dropped = 0, loss = 0;
};

double Slope(const Corner& from, const Corner& to) { return (to.loss - from.loss) / (to.dropped - from.dropped); }

Corner CornerAt(const LayerSteps& steps, const SensitivityCurve& curve, int64_t at) {
  return {.steps = at, .dropped = steps.Dropped(at), .loss = LossAt(curve, steps.Sparsity(static_cast<double>(at)))};
}

/// The corners from step `low` to step `high` of the lower convex hull of the losses after each step. Only steps beside
/// a point of the curve can be corners: between points the loss rises by the same with each step, and a step drops no
/// less than the one before.
std::vector<Corner> Hull(const LayerSteps& steps, const SensitivityCurve& curve, int64_t low, int64_t high) {
  std::set<int64_t> candidates = {low, high};
  for (const SensitivityPoint& point : curve) {
    const double at = steps.At(point.sparsity);
    for (const double whole : {std::floor(at), std::ceil(at)}) {
      candidates.insert(std::clamp(static_cast<int64_t>(whole), low, high));
    }
  }
  std::vector<Corner> hull;
  for (const int64_t at : candidates) {
    const Corner corner = CornerAt(steps, curve, at);
    // A step that drops nothing has no place here.
    if (!hull.empty() && corner.dropped <= hull.back().dropped) continue;
    while (hull.size() >= 2 && Slope(hull[hull.size() - 2], hull.back()) >= Slope(hull.back(), corner)) hull.pop_back();
    hull.push_back(corner);
  }
  return hull;
}

void AddSegments(const AllocationProblem::Layer& layer, size_t number, const SensitivityCurve& curve,
                 std::vector<Segment>& segments) {
  const auto& [steps, range] = layer;
  const int64_t ends[] = {range.lowest(), range.low(), range.high(), range.highest()};
  for (int turn = 0; turn < 3; ++turn) {
    const std::vector<Corner> hull = Hull(steps, curve, ends[turn], ends[turn + 1]);
    for (size_t i = 1; i < hull.size(); ++i) {
      segments.push_back({.turn = turn,
                          .per_entry = Slope(hull[i - 1], hull[i]),
                          .layer = number,
                          .from = hull[i - 1].steps,
                          .to = hull[i].steps});
    }
  }
}

/// The step from `from` to `to` after which the entries dropped since `from` are nearest to `missing`.
int64_t NearestStep(const LayerSteps& steps, int64_t from, int64_t to, double missing) {
  int64_t low = from, high = to;  // Up to `low`, no more than `missing` are dropped.
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (steps.Dropped(middle) - steps.Dropped(from) <= missing) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  if (low == to) return to;
  const double left = missing - (steps.Dropped(low) - steps.Dropped(from));
  return left > (steps.Dropped(low + 1) - steps.Dropped(low)) / 2 ? low + 1 : low;
}

}  // namespace

Allocation AllocateBySensitivity(std::span<const LayerShape> layers, std::span<const SensitivityCurve> curves,
                                 const AllocationOptions& options) {
  RequireCurves(layers, curves);
  std::vector<double> last;
  for (const SensitivityCurve& curve : curves) last.push_back(curve.back().sparsity);
  const AllocationProblem problem(kOwner, layers, options, last);
  double missing = problem.Goal();
  std::vector<int64_t> at;
  std::vector<Segment> segments;
  for (size_t i = 0; i < problem.size(); ++i) {
    const AllocationProblem::Layer& layer = problem.layers()[i];
    at.push_back(layer.range.lowest());
    missing -= layer.steps.Dropped(at.back());
    AddSegments(layer, i, Rising(curves[i]), segments);
  }
  std::ranges::sort(segments, std::less<>());
  for (const auto& [turn, per_entry, layer, from, to] : segments) {
    // Steps that follow others which were too large are not taken either.
    if (at[layer] != from || missing <= 0) continue;
    const LayerSteps& steps = problem.layers()[layer].steps;
    at[layer] = NearestStep(steps, from, to, missing);
    missing -= steps.Dropped(at[layer]) - steps.Dropped(from);
  }
  return problem.After(at);
}

}  // namespace twofour::sparse
