#include "twofour/sparse/allocation/waterfill.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numbers>
#include <tuple>

namespace twofour::sparse {
namespace {

using Layers = std::vector<AllocationProblem::Layer>;

/// Steps of each layer, not whole ones, if all are shifted by this much.
std::vector<double> Shifted(const Layers& layers, std::span<const double> wanted, double shift) {
  std::vector<double> at;
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto& [steps, range] = layers[i];
    at.push_back(std::clamp(steps.At(wanted[i] + shift), range.from, range.to));
  }
  return at;
}

double Dropped(const Layers& layers, std::span<const double> at) {
  double dropped = 0;
  for (size_t i = 0; i < layers.size(); ++i) dropped += layers[i].steps.Dropped(at[i]);
  return dropped;
}

/// Steps of each layer that drop `goal`, which the bounds must allow.
std::vector<double> Filled(const Layers& layers, std::span<const double> wanted, double goal) {
  double low = std::numeric_limits<double>::max(), high = std::numeric_limits<double>::lowest();
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto& [steps, range] = layers[i];
    low = std::min(low, steps.Sparsity(range.from) - wanted[i]);
    high = std::max(high, steps.Sparsity(range.to) - wanted[i]);
  }
  // A double has no more than some hundred bits between a large and a small shift that matter.
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    (Dropped(layers, Shifted(layers, wanted, middle)) < goal ? low : high) = middle;
  }
  return Shifted(layers, wanted, high);
}

/// A place in an order in which the first few layers, however many, lie far apart in the model: multiples of the golden
/// ratio, of which only what is behind the point counts, leave no large gaps.
double SpreadOf(size_t layer) {
  const double turns = static_cast<double>(layer + 1) * std::numbers::phi;
  return turns - std::floor(turns);
}

/// A layer that may take a step more.
struct Candidate {
  Candidate(size_t of, int turn_of, double part_of)
      : layer(of), turn(turn_of), part(std::llround(part_of * 1e9)), spread(SpreadOf(of)) {}

  size_t layer;
  int turn;       ///< First those that are below a bound, last those that pass one.
  int64_t part;   ///< Of a step, in billionths, so that rounding does not decide between equal ones.
  double spread;  ///< See SpreadOf.

  bool operator<(const Candidate& other) const {
    return std::tuple(turn, -part, spread, layer) < std::tuple(other.turn, -other.part, other.spread, other.layer);
  }
};

}  // namespace

std::vector<int64_t> Waterfill(const AllocationProblem& problem, std::span<const double> wanted) {
  const Layers& layers = problem.layers();
  double missing = problem.Goal();
  const std::vector<double> filled = Filled(layers, wanted, missing);
  std::vector<int64_t> whole;
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto& [steps, range] = layers[i];
    // As the bounds are rounded, so that sparsities which are equal but for rounding are the same steps.
    const int64_t below = StepRange{.from = filled[i], .to = filled[i]}.lowest();
    whole.push_back(below);
    missing -= steps.Dropped(below);
    if (below >= range.highest()) continue;
    const int turn = below < range.low() ? 0 : below < range.high() ? 1 : 2;
    candidates.emplace_back(i, turn, filled[i] - static_cast<double>(below));
  }
  std::ranges::sort(candidates, std::less<>());
  for (const Candidate& candidate : candidates) {
    const LayerSteps& steps = layers[candidate.layer].steps;
    int64_t& at = whole[candidate.layer];
    const double step = steps.Dropped(at + 1) - steps.Dropped(at);
    if (missing <= step / 2) continue;
    ++at;
    missing -= step;
  }
  return whole;
}

}  // namespace twofour::sparse
