#include "twofour/sparse/allocation/outlier_allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

using test::EqualLayers;
using test::PatternOf;
using test::PatternsOf;
using test::SparsityOf;
using test::UnitOf;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Patterns(const std::vector<LayerShape>& layers, const std::vector<double>& shares,
                     const AllocationOptions& options, double lambda = 0.08) {
  return PatternsOf(AllocateByOutliers(layers, shares, {.allocation = options, .lambda = lambda}));
}

TEST(OutlierAllocationTest, FollowsThePublishedFormula) {
  const std::vector<LayerShape> layers = EqualLayers(3, 10, 100);
  // d is 0, 0.08 and 0.16, with a mean of 0.08.
  EXPECT_EQ(Patterns(layers, {0.01, 0.03, 0.05}, {.pattern = PatternOf("unstructured:0.7")}),
            "unstructured:0.78 unstructured:0.7 unstructured:0.62");
  // d is 0.2, 0.05 and 0, with a mean of a twelfth: each layer is a third of an entry above a whole number.
  EXPECT_EQ(Patterns(layers, {0.4, 0.1, 0}, {.pattern = PatternOf("unstructured:0.5")}, 0.1),
            "unstructured:0.383 unstructured:0.534 unstructured:0.583");
  // Those at the ends are 2 lambda apart, not each lambda from the target.
  EXPECT_EQ(Patterns(EqualLayers(4, 10, 100), {0, 0, 0, 0.04}, {.pattern = PatternOf("unstructured:0.7")}),
            "unstructured:0.74 unstructured:0.74 unstructured:0.74 unstructured:0.58");
}

TEST(OutlierAllocationTest, TheMeanIsWeightedByEntries) {
  // d is 0 and 0.16, with a mean of 0.12.
  EXPECT_EQ(Patterns({{"a", 10, 100}, {"b", 30, 100}}, {0.0, 0.1}, {.pattern = PatternOf("unstructured:0.7")}),
            "unstructured:0.82 unstructured:0.66");
}

TEST(OutlierAllocationTest, OtherLayersMakeUpForABound) {
  const std::vector<LayerShape> layers = EqualLayers(3, 10, 100);
  // 0.78, 0.7 and 0.62 without bounds. Clipping alone would drop 0.69 of all.
  EXPECT_EQ(Patterns(layers, {0.01, 0.03, 0.05}, {.pattern = PatternOf("unstructured:0.7"), .max = 0.75}),
            "unstructured:0.75 unstructured:0.715 unstructured:0.635");
  EXPECT_EQ(Patterns(layers, {0.01, 0.03, 0.05}, {.pattern = PatternOf("unstructured:0.7"), .min = 0.68, .max = 0.73}),
            "unstructured:0.73 unstructured:0.69 unstructured:0.68");
}

TEST(OutlierAllocationTest, EqualSharesGiveAllLayersTheTarget) {
  EXPECT_EQ(Patterns(EqualLayers(2, 10, 10), {0.2, 0.2}, {.pattern = PatternOf("unstructured:0.7")}),
            "unstructured:0.7 unstructured:0.7");
  EXPECT_EQ(Patterns(EqualLayers(2, 10, 10), {0.1, 0.2}, {.pattern = PatternOf("unstructured:0.7")}, 0),
            "unstructured:0.7 unstructured:0.7");
  EXPECT_EQ(Patterns(EqualLayers(1, 10, 10), {0.1}, {.pattern = PatternOf("unstructured:0.7")}), "unstructured:0.7");
}

TEST(OutlierAllocationTest, MixesPatternsNOfM) {
  const std::vector<LayerShape> layers = EqualLayers(4, 8, 8);
  const std::vector<double> shares = {0.05, 0.04, 0, 0.01};
  EXPECT_EQ(Patterns(layers, shares, {.pattern = PatternOf("2:4")}), "2:4 2:4 2:4 2:4");
  EXPECT_EQ(Patterns(layers, shares, {.pattern = PatternOf("2:4"), .target = 0.625}), "2:4 2:4 1:4 1:4");
  // d is 0.6, 0.48, 0 and 0.12, with a mean of 0.3: 0.8, 1.28, 3.2 (clipped to 3) and 2.72 steps, then shifted by
  // 0.067.
  EXPECT_EQ(Patterns(layers, shares, {.pattern = PatternOf("2:4")}, 0.3), "3:4 3:4 1:4 1:4");
  EXPECT_EQ(Patterns(layers, shares, {.pattern = PatternOf("2:4")}, 1), "dense 2:4 1:4 1:4");
}

TEST(OutlierAllocationTest, APatternOfOneSparsityGoesToAllLayers) {
  EXPECT_EQ(Patterns(EqualLayers(2, 64, 64), {0.1, 0.3}, {.pattern = PatternOf("transposable:2:4")}),
            "transposable:2:4 transposable:2:4");
}

TEST(OutlierAllocationTest, MeetsBoundsAndTargetOfRandomLayersAndKeepsTheirOrder) {
  for (uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    RandomSequence random({.seed = seed});
    const test::RandomProblem problem = test::MakeRandomProblem(random);
    const auto& [layers, options] = problem;
    std::vector<double> shares;
    for (size_t i = 0; i < layers.size(); ++i) shares.push_back(random.Uniform() * random.Uniform());
    const double lambda = random.Uniform() * random.Uniform();
    const Allocation allocation = AllocateByOutliers(layers, shares, {.allocation = options, .lambda = lambda});
    ExpectSound(problem, allocation);
    const auto [least, most] = std::ranges::minmax(shares);
    for (size_t i = 0; i < layers.size(); ++i) {
      for (size_t j = 0; j < layers.size(); ++j) {
        if (shares[i] <= shares[j]) continue;
        // Each is at most a step from where it should be, and of layers with the same steps both are within one.
        const double of_i = UnitOf(layers[i], options.pattern), of_j = UnitOf(layers[j], options.pattern);
        const double slack = of_i == of_j ? of_i : of_i + of_j;
        const double a = SparsityOf(allocation.layers[i]), b = SparsityOf(allocation.layers[j]);
        EXPECT_LT(a, b + slack + 1e-9);
        // Where no bound is near, they are as far apart as the formula says.
        const double margin = of_i + of_j;
        const double high = std::min(options.max, 1 - margin);
        if (a > options.min + margin && b < high - margin) {
          EXPECT_NEAR(b - a, 2 * lambda * (shares[i] - shares[j]) / (most - least), margin);
        }
      }
    }
  }
}

TEST(OutlierAllocationTest, MeetsTheTargetOfLargeLayersToAnEntry) {
  std::vector<LayerShape> layers = EqualLayers(100, 4096, 4095);
  layers.push_back({.name = "head", .rows = 151936, .cols = 4096});
  RandomSequence random({.seed = 1});
  std::vector<double> shares;
  for (size_t i = 0; i < layers.size(); ++i) shares.push_back(random.Uniform());
  for (const double max : {0.61, 1.0}) {
    const test::RandomProblem problem{.layers = layers,
                                      .options = {.pattern = PatternOf("unstructured:0.6"), .min = 0.55, .max = max}};
    ExpectSound(problem, AllocateByOutliers(layers, shares, {.allocation = problem.options}));
  }
}

TEST(OutlierAllocationTest, TakesWhatIsWithinHalfAStepOfTheTarget) {
  // Nothing goes of the fifth column, so 2:4 drops 4 of 10 and not 5. A step is 2.
  EXPECT_EQ(Patterns(EqualLayers(1, 2, 5), {0.1}, {.pattern = PatternOf("2:4"), .max = 0.5}), "2:4");
  EXPECT_ERROR(Patterns(EqualLayers(2, 2, 5), {0.1, 0.2}, {.pattern = PatternOf("2:4"), .max = 0.5}),
               ErrorKind::kInvalidInput, HasSubstr("target 0.5, expected 0 to 0.4"));
  EXPECT_EQ(Patterns(EqualLayers(1, 1, 4), {0.1}, {.pattern = PatternOf("unstructured:0.87")}), "unstructured:0.75");
  EXPECT_ERROR(Patterns(EqualLayers(1, 1, 4), {0.1}, {.pattern = PatternOf("unstructured:0.88")}),
               ErrorKind::kInvalidInput, HasSubstr("target 0.88, expected 0 to 0.75"));
}

TEST(OutlierAllocationTest, RefusesWrongShares) {
  const std::vector<LayerShape> layers = EqualLayers(2, 4, 4);
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  EXPECT_ERROR(AllocateByOutliers(layers, std::vector<double>{0.1}, {}), ErrorKind::kInvalidInput,
               "AllocateByOutliers: 1 outlier shares for 2 layers, expected one for each");
  EXPECT_ERROR(AllocateByOutliers(layers, std::vector<double>{nan, infinite}, {}), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("AllocateByOutliers: fc0: outlier share nan, expected a finite number of at least 0"),
                     HasSubstr("fc1: outlier share inf")));
  EXPECT_ERROR(AllocateByOutliers(layers, std::vector<double>{-0.1, 0}, {}), ErrorKind::kInvalidInput,
               HasSubstr("fc0: outlier share -0.1"));
}

TEST(OutlierAllocationTest, RefusesWrongOptions) {
  const std::vector<LayerShape> layers = EqualLayers(2, 4, 4);
  const std::vector<double> shares = {0.1, 0.2};
  EXPECT_ERROR(AllocateByOutliers(layers, shares, {.lambda = -0.1}), ErrorKind::kInvalidInput,
               HasSubstr("AllocateByOutliers: lambda is -0.1, expected 0 to 1"));
  EXPECT_ERROR(AllocateByOutliers(layers, shares, {.allocation = {.min = 0.5, .max = 0.4}}), ErrorKind::kInvalidInput,
               HasSubstr("AllocateByOutliers: allocation.min is 0.5"));
  EXPECT_ERROR(AllocateByOutliers(layers, shares, {.allocation = {.min = 0.6}}), ErrorKind::kInvalidInput,
               HasSubstr("target 0.5, expected 0.6 to 0.9375: what the pattern, min and max allow of these 2 layers"));
  EXPECT_ERROR(AllocateByOutliers({}, {}, {}), ErrorKind::kInvalidInput, HasSubstr("no layers"));
}

}  // namespace
}  // namespace twofour::sparse
