#include "twofour/sparse/allocation/sensitivity_allocation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/error.h"

#include "tests/sparse/allocation/random_layers.h"
#include "tests/support/expect_error.h"

namespace twofour::sparse {
namespace {

using test::DroppedBy;
using test::EntriesOf;
using test::EqualLayers;
using test::PartsOf;
using test::PatternOf;
using test::PatternsOf;
using test::SparsityOf;
using test::StepOf;
using test::UnitOf;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Patterns(const std::vector<LayerShape>& layers, const std::vector<SensitivityCurve>& curves,
                     const AllocationOptions& options) {
  return PatternsOf(AllocateBySensitivity(layers, curves, options));
}

/// A curve whose slopes rise, up to nearly 1.
SensitivityCurve ConvexCurve(RandomSequence& random) {
  SensitivityCurve curve;
  double slope = random.Uniform(), sparsity = 0, loss = 0;
  const uint32_t points = 1 + random.Below(5);
  for (uint32_t i = 1; i <= points; ++i) {
    const double next = 0.97 * i / points;
    loss += slope * (next - sparsity);
    sparsity = next;
    slope += 2 * random.Uniform();
    curve.push_back({.sparsity = sparsity, .loss = loss});
  }
  return curve;
}

SensitivityCurve AnyCurve(RandomSequence& random) {
  SensitivityCurve curve;
  for (double sparsity = 0.3 * random.Uniform(); sparsity < 0.97; sparsity += 0.05 + 0.5 * random.Uniform()) {
    if (sparsity > 0) curve.push_back({.sparsity = sparsity, .loss = random.Uniform() - 0.1});
  }
  curve.push_back({.sparsity = 0.97, .loss = random.Uniform()});
  return curve;
}

/// On straight lines, from the formula of a line.
double LossOf(const SensitivityCurve& curve, double sparsity) {
  double left = 0, below = 0;
  for (const auto& [right, loss] : curve) {
    const double above = std::max(below, loss);
    if (sparsity <= right) return below + (above - below) * (sparsity - left) / (right - left);
    left = right;
    below = above;
  }
  return below;
}

/// Calls visit(losses, dropped) for each choice of sparsities, given the number of steps of each layer.
template <typename Visit>
void ForEachChoice(const test::RandomProblem& problem, const std::vector<SensitivityCurve>& curves, const Visit& visit,
                   size_t layer = 0, double loss = 0, double dropped = 0) {
  if (layer == problem.layers.size()) return visit(loss, dropped);
  const LayerShape& shape = problem.layers[layer];
  const auto& [pattern, target, min, max, names] = problem.options;
  const int64_t parts = pattern.has_budget() ? PartsOf(shape, pattern) : pattern.format.m;
  for (int64_t at = 0; at < parts; ++at) {
    const double sparsity = static_cast<double>(at) / static_cast<double>(parts);
    if (sparsity < min - 1e-9 || sparsity > max + 1e-9) continue;
    const double of_layer = pattern.has_budget()
                                ? static_cast<double>(at) * StepOf(shape, pattern)
                                : DroppedBy(shape, static_cast<int>(parts - at), static_cast<int>(parts));
    ForEachChoice(problem, curves, visit, layer + 1, loss + LossOf(curves[layer], sparsity), dropped + of_layer);
  }
}

double LossOf(const Allocation& allocation, const std::vector<SensitivityCurve>& curves) {
  double loss = 0;
  for (size_t i = 0; i < curves.size(); ++i) loss += LossOf(curves[i], SparsityOf(allocation.layers[i]));
  return loss;
}

double DroppedOf(const Allocation& allocation) {
  double dropped = 0;
  for (const LayerAllocation& layer : allocation.layers) dropped += layer.dropped;
  return dropped;
}

/// Layers whose steps drop equally much.
test::RandomProblem SmallProblem(RandomSequence& random) {
  const char* const patterns[] = {"unstructured:0", "block:2x2:0", "2:4", "2:5", "unstructured:0:row", "block:1x1:0"};
  const uint32_t kind = random.Below(6);
  test::RandomProblem problem{.layers = {}, .options = {.pattern = PatternOf(patterns[kind])}};
  if (kind == 5) problem.options.max = 0.9;
  const uint32_t count = 1 + random.Below(kind == 5 ? 2 : 4);
  for (uint32_t i = 0; i < count; ++i) {
    LayerShape layer{.name = std::to_string(i), .rows = 1, .cols = 1 + random.Below(8)};
    if (kind == 1) layer = {.name = layer.name, .rows = 4, .cols = 2 + 2 * random.Below(3)};
    if (kind == 2) layer = {.name = layer.name, .rows = 6, .cols = 8};
    if (kind == 3) layer = {.name = layer.name, .rows = 6, .cols = 5};
    if (kind == 5) layer.cols = 10 * (4 + random.Below(6));  // Points lie between steps, and far apart.
    problem.layers.push_back(layer);
  }
  return problem;
}

void SetTarget(test::RandomProblem& problem, double target) {
  if (problem.options.pattern.has_budget()) {
    problem.options.pattern.sparsity = target;
  } else {
    problem.options.target = target;
  }
}

/// The share that is dropped if each layer takes a random part of its steps.
double ReachableTarget(const test::RandomProblem& problem, RandomSequence& random) {
  double dropped = 0, entries = 0;
  for (const LayerShape& layer : problem.layers) {
    dropped += std::lerp(problem.options.min, std::min(problem.options.max, 1 - UnitOf(layer, problem.options.pattern)),
                         random.Uniform()) *
               EntriesOf(layer);
    entries += EntriesOf(layer);
  }
  return dropped / entries;
}

TEST(SensitivityAllocationTest, NoOtherChoiceCostsLessIfCurvesAreConvex) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    RandomSequence random({.seed = seed});
    test::RandomProblem problem = SmallProblem(random);
    if (random.Below(2) == 0 && !problem.options.pattern.has_budget())
      problem.options.min = 1.0 / problem.options.pattern.format.m;
    SetTarget(problem, ReachableTarget(problem, random));
    std::vector<SensitivityCurve> curves;
    for (size_t i = 0; i < problem.layers.size(); ++i) curves.push_back(ConvexCurve(random));
    const Allocation allocation = AllocateBySensitivity(problem.layers, curves, problem.options);
    ExpectSound(problem, allocation);
    double best = std::numeric_limits<double>::infinity(), nearest = best, entries = 0;
    for (const LayerShape& layer : problem.layers) entries += EntriesOf(layer);
    const double goal = problem.options.Target() * entries, dropped = DroppedOf(allocation);
    ForEachChoice(problem, curves, [&](double loss, double other) {
      if (std::abs(other - dropped) < 1e-6) best = std::min(best, loss);
      nearest = std::min(nearest, std::abs(other - goal));
    });
    EXPECT_NEAR(LossOf(allocation, curves), best, 1e-9);
    EXPECT_NEAR(std::abs(dropped - goal), nearest, 1e-6);
  }
}

TEST(SensitivityAllocationTest, MeetsBoundsAndTargetForAnyCurves) {
  for (uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    RandomSequence random({.seed = seed});
    test::RandomProblem problem = test::MakeRandomProblem(random);
    std::vector<SensitivityCurve> curves;
    for (size_t i = 0; i < problem.layers.size(); ++i) {
      SensitivityCurve curve = AnyCurve(random);
      // So that the target can be met.
      if (problem.options.max >= 0.97) curve.back().sparsity = 0.9999999;
      curves.push_back(curve);
    }
    ExpectSound(problem, AllocateBySensitivity(problem.layers, curves, problem.options));
  }
}

TEST(SensitivityAllocationTest, TakesTheCheapestStepsFirst) {
  const std::vector<LayerShape> layers = EqualLayers(2, 10, 10);
  // Per entry: 1 and 3 of 50 for a, 2 of all for b.
  const std::vector<SensitivityCurve> curves = {{{0.5, 50}, {0.9, 170}}, {{0.9, 180}}};
  const auto patterns = [&](double target) {
    return Patterns(layers, curves, {.pattern = PruningPattern::Unstructured(target)});
  };
  EXPECT_EQ(patterns(0.2), "unstructured:0.4 dense");
  EXPECT_EQ(patterns(0.25), "unstructured:0.5 dense");
  EXPECT_EQ(patterns(0.4), "unstructured:0.5 unstructured:0.3");
  EXPECT_EQ(patterns(0.7), "unstructured:0.5 unstructured:0.9");
  EXPECT_EQ(patterns(0.8), "unstructured:0.7 unstructured:0.9");
  EXPECT_EQ(Patterns(layers, curves, {.pattern = PatternOf("unstructured:0.4"), .min = 0.35, .max = 0.45}),
            "unstructured:0.45 unstructured:0.35");
}

TEST(SensitivityAllocationTest, CountsLossPerEntry) {
  // b costs twice as much at the same sparsity, but drops four times as much.
  EXPECT_EQ(
      Patterns({{"a", 10, 10}, {"b", 20, 20}}, {{{0.9, 1}}, {{0.9, 2}}}, {.pattern = PatternOf("unstructured:0.5")}),
      "dense unstructured:0.625");
}

TEST(SensitivityAllocationTest, LooksBeyondAHump) {
  // a costs more than b up to 0.5, but nothing more after that.
  const std::vector<SensitivityCurve> curves = {{{0.5, 3}, {0.8, 3}}, {{0.8, 4}}};
  EXPECT_EQ(Patterns(EqualLayers(2, 10, 10), curves, {.pattern = PatternOf("unstructured:0.4")}),
            "unstructured:0.8 dense");
  EXPECT_EQ(Patterns(EqualLayers(2, 8, 10), curves, {.pattern = PatternOf("1:5"), .target = 0.4}), "1:5 dense");
}

TEST(SensitivityAllocationTest, MixesPatternsNOfM) {
  const std::vector<SensitivityCurve> curves = {{{0.25, 1}, {0.5, 2}, {0.75, 6}}, {{0.25, 3}, {0.5, 8}, {0.75, 20}}};
  const auto patterns = [&](double target) {
    return Patterns(EqualLayers(2, 8, 8), curves, {.pattern = PatternOf("2:4"), .target = target});
  };
  EXPECT_EQ(patterns(0.125), "3:4 dense");
  EXPECT_EQ(patterns(0.25), "2:4 dense");
  EXPECT_EQ(patterns(0.375), "2:4 3:4");
  EXPECT_EQ(patterns(0.5), "1:4 3:4");
  EXPECT_EQ(patterns(0.75), "1:4 1:4");
}

TEST(SensitivityAllocationTest, ASmallerLayerTakesWhatIsTooLittleForALargeOne) {
  // A step of a is 256 entries, one of b 16. The target is 20 entries.
  const std::vector<SensitivityCurve> curves = {{{0.75, 0.1}}, {{0.75, 1}}};
  EXPECT_EQ(Patterns({{"a", 32, 32}, {"b", 8, 8}}, curves, {.pattern = PatternOf("2:4"), .target = 20.0 / 1088}),
            "dense 3:4");
}

TEST(SensitivityAllocationTest, NoLayerIsSparserThanWhatWasMeasured) {
  const std::vector<SensitivityCurve> curves = {{{0.6, 0.1}}, {{0.8, 5}}};
  EXPECT_EQ(Patterns(EqualLayers(2, 10, 10), curves, {.pattern = PatternOf("unstructured:0.65")}),
            "unstructured:0.6 unstructured:0.7");
  EXPECT_ERROR(AllocateBySensitivity(EqualLayers(2, 10, 10), curves, {.pattern = PatternOf("unstructured:0.75")}),
               ErrorKind::kInvalidInput,
               HasSubstr("AllocateBySensitivity: target 0.75, expected 0 to 0.7: what the pattern, min, max and the "
                         "levels measured allow of these 2 layers"));
  EXPECT_ERROR(
      AllocateBySensitivity(EqualLayers(2, 10, 10), curves, {.pattern = PatternOf("unstructured:0.75"), .min = 0.7}),
      ErrorKind::kInvalidInput,
      HasSubstr("AllocateBySensitivity: fc0: sparsity of at most 0.6, expected at least 0.7 by min"));
}

TEST(SensitivityAllocationTest, APatternOfOneSparsityGoesToAllLayers) {
  EXPECT_EQ(Patterns(EqualLayers(2, 64, 64), {{{0.5, 1}}, {{0.9, 2}}}, {.pattern = PatternOf("transposable:2:4")}),
            "transposable:2:4 transposable:2:4");
}

/// As many entries as a large model has.
TEST(SensitivityAllocationTest, IsQuickForLargeLayers) {
  const std::vector<LayerShape> layers = EqualLayers(300, 1 << 14, 1 << 14);
  RandomSequence random({.seed = 1});
  std::vector<SensitivityCurve> curves;
  for (size_t i = 0; i < layers.size(); ++i) curves.push_back(ConvexCurve(random));
  const test::RandomProblem problem{.layers = layers, .options = {.pattern = PatternOf("unstructured:0.6")}};
  ExpectSound(problem, AllocateBySensitivity(layers, curves, problem.options));
}

TEST(SensitivityAllocationTest, RefusesWrongCurves) {
  const std::vector<LayerShape> layers = EqualLayers(2, 4, 4);
  EXPECT_ERROR(AllocateBySensitivity(layers, std::vector<SensitivityCurve>{{{0.5, 1}}}, {}), ErrorKind::kInvalidInput,
               "AllocateBySensitivity: 1 curves for 2 layers, expected one for each");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_ERROR(AllocateBySensitivity(layers, std::vector<SensitivityCurve>{{{0.5, nan}}, {}}, {}),
               ErrorKind::kInvalidInput,
               AllOf(HasSubstr("AllocateBySensitivity: fc0: point 0.loss is nan, expected a finite number"),
                     HasSubstr("AllocateBySensitivity: fc1 is missing, expected at least one point of a curve")));
  EXPECT_ERROR(AllocateBySensitivity({}, {}, {}), ErrorKind::kInvalidInput, HasSubstr("no layers"));
}

}  // namespace
}  // namespace twofour::sparse
