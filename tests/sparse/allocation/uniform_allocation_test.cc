#include "twofour/sparse/allocation/uniform_allocation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
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
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Patterns(const std::vector<LayerShape>& layers, const AllocationOptions& options) {
  return PatternsOf(AllocateUniformly(layers, options));
}

TEST(UniformAllocationTest, GivesEachLayerTheTarget) {
  const std::vector<LayerShape> layers = {{"a", 10, 10}, {"b", 30, 40}};
  EXPECT_EQ(Patterns(layers, {.pattern = PatternOf("unstructured:0.3")}), "unstructured:0.3 unstructured:0.3");
  EXPECT_EQ(Patterns(layers, {.pattern = PatternOf("unstructured:0.3:row")}),
            "unstructured:0.3:row unstructured:0.3:row");
  EXPECT_EQ(Patterns(layers, {.pattern = PatternOf("block:5x5:0.75")}), "block:5x5:0.75 block:5x5:0.75");
  EXPECT_EQ(Patterns(layers, {.pattern = PatternOf("unstructured:0")}), "dense dense");
}

TEST(UniformAllocationTest, SharesOutWhatRoundingLeaves) {
  // 3.5 of 7 entries each. All rounded up would drop 12.
  EXPECT_EQ(Patterns(EqualLayers(3, 1, 7), {.pattern = PatternOf("unstructured:0.5")}),
            fmt::format("unstructured:{} unstructured:{} unstructured:{}", 3.0 / 7, 4.0 / 7, 3.0 / 7));
  // The second layer is a third of a step below a whole one, the first two thirds.
  EXPECT_EQ(Patterns({{"a", 1, 4}, {"b", 1, 5}}, {.pattern = PatternOf("unstructured:0.333333333333")}),
            "unstructured:0.25 unstructured:0.4");
}

TEST(UniformAllocationTest, AnNOfMThatIsTheTargetGoesToAllLayers) {
  EXPECT_EQ(Patterns(EqualLayers(2, 8, 8), {.pattern = PatternOf("2:4")}), "2:4 2:4");
  EXPECT_EQ(Patterns(EqualLayers(2, 8, 8), {.pattern = PatternOf("2:4"), .target = 0.75}), "1:4 1:4");
  EXPECT_EQ(Patterns(EqualLayers(2, 8, 8), {.pattern = PatternOf("2:4"), .target = 0.0}), "dense dense");
  EXPECT_EQ(Patterns(EqualLayers(2, 8, 14), {.pattern = PatternOf("2:7"), .target = 0.428571}), "4:7 4:7");
  // Also where the last groups are shorter and drop less.
  const Allocation allocation = AllocateUniformly(EqualLayers(3, 2, 5), {.pattern = PatternOf("2:4")});
  EXPECT_EQ(PatternsOf(allocation), "2:4 2:4 2:4");
  EXPECT_EQ(allocation.layers[0].dropped, 4);
  EXPECT_DOUBLE_EQ(allocation.sparsity, 0.4);
}

TEST(UniformAllocationTest, ATargetBetweenTwoPatternsMixesThem) {
  EXPECT_EQ(Patterns(EqualLayers(4, 8, 8), {.pattern = PatternOf("2:4"), .target = 0.625}), "2:4 1:4 2:4 1:4");
  EXPECT_EQ(Patterns(EqualLayers(4, 8, 8), {.pattern = PatternOf("2:4"), .target = 0.0625}), "dense 3:4 dense dense");
  // The sparser ones are spread over the model, and differ in kind where kinds of layers alternate.
  EXPECT_EQ(Patterns(EqualLayers(12, 8, 8), {.pattern = PatternOf("2:4"), .target = 0.5625}),
            "2:4 1:4 2:4 2:4 1:4 2:4 2:4 2:4 2:4 1:4 2:4 2:4");
  // The nearest that is possible: 2.4 of 8 steps are two.
  const Allocation allocation = AllocateUniformly(EqualLayers(2, 8, 8), {.pattern = PatternOf("2:4"), .target = 0.3});
  EXPECT_EQ(PatternsOf(allocation), "3:4 3:4");
  EXPECT_EQ(allocation.sparsity, 0.25);
}

TEST(UniformAllocationTest, APatternOfOneSparsityGoesToAllLayers) {
  for (const char* const pattern : {"transposable:2:4", "transposable:1:4", "64:2:8", "rows:16:2:7"}) {
    const Allocation allocation = AllocateUniformly(EqualLayers(2, 64, 56), {.pattern = PatternOf(pattern)});
    EXPECT_EQ(PatternsOf(allocation), std::string(pattern) + " " + pattern);
    EXPECT_NEAR(allocation.sparsity, PatternOf(pattern).Sparsity(), 1e-12);
  }
}

TEST(UniformAllocationTest, MeetsBoundsAndTargetOfRandomLayers) {
  for (uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    RandomSequence random({.seed = seed});
    const test::RandomProblem problem = test::MakeRandomProblem(random);
    const PruningPattern& pattern = problem.options.pattern;
    const double steps = problem.options.Target() * pattern.format.m;
    if (!pattern.has_budget() && std::abs(steps - std::round(steps)) < 1e-6 * pattern.format.m) continue;
    const Allocation allocation = AllocateUniformly(problem.layers, problem.options);
    ExpectSound(problem, allocation);
  }
}

TEST(UniformAllocationTest, PassesABoundOnlyWhereOtherLayersCannotTakeWhatIsLeft) {
  // a is to drop 1.9 entries, and may drop 1.95. It has the largest part of a step, but two would pass that.
  EXPECT_EQ(Patterns({{"a", 1, 3}, {"b", 1, 10}, {"c", 1, 100}, {"d", 1, 100}},
                     {.pattern = PatternOf("unstructured:0.6333"), .max = 0.65}),
            fmt::format("unstructured:{} unstructured:0.6 unstructured:0.64 unstructured:0.64", 1.0 / 3));
  // Here nothing else is left.
  EXPECT_EQ(Patterns(EqualLayers(2, 1, 3), {.pattern = PatternOf("unstructured:0.5"), .min = 0.5, .max = 0.5}),
            fmt::format("unstructured:{} unstructured:{}", 1.0 / 3, 2.0 / 3));
}

TEST(UniformAllocationTest, SaysWhichTargetsCanBeReached) {
  const std::vector<LayerShape> layers = EqualLayers(12, 8, 8);
  EXPECT_ERROR(AllocateUniformly(layers, {.pattern = PatternOf("unstructured:0.8"), .min = 0.1, .max = 0.7}),
               ErrorKind::kInvalidInput,
               "AllocateUniformly: target 0.8, expected 0.1 to 0.7: what the pattern, min and max allow of these 12 "
               "layers");
  EXPECT_ERROR(AllocateUniformly(layers, {.pattern = PatternOf("unstructured:0.05"), .min = 0.1, .max = 0.7}),
               ErrorKind::kInvalidInput, HasSubstr("target 0.05, expected 0.1 to 0.7"));
  // 0.7 is no sparsity of n:4, and 0.5 the one below it.
  EXPECT_ERROR(AllocateUniformly(layers, {.pattern = PatternOf("2:4"), .target = 0.6, .max = 0.7}),
               ErrorKind::kInvalidInput, HasSubstr("target 0.6, expected 0 to 0.5"));
  // Beyond the bounds, half a step is too much as well.
  EXPECT_ERROR(AllocateUniformly(EqualLayers(1, 8, 8), {.pattern = PatternOf("2:4"), .target = 0.55, .max = 0.5}),
               ErrorKind::kInvalidInput, HasSubstr("target 0.55, expected 0 to 0.5"));
  EXPECT_ERROR(AllocateUniformly(EqualLayers(1, 2, 7), {.pattern = PatternOf("2:4"), .target = 0.99}),
               ErrorKind::kInvalidInput,
               HasSubstr("expected 0 to 0.714285: what the pattern, min and max allow of this layer"));
  EXPECT_ERROR(AllocateUniformly(layers, {.pattern = PatternOf("transposable:2:4"), .max = 0.4}),
               ErrorKind::kInvalidInput, HasSubstr("target 0.5, expected 0 to 0"));
}

TEST(UniformAllocationTest, RefusesLayersWithoutEntries) {
  EXPECT_ERROR(AllocateUniformly({}, {}), ErrorKind::kInvalidInput,
               "AllocateUniformly: no layers, expected at least one");
  EXPECT_ERROR(AllocateUniformly(std::vector<LayerShape>{{"a", 4, 4}, {"b", 0, 4}, {"c", 4, int64_t{1} << 40}}, {}),
               ErrorKind::kInvalidInput,
               AllOf(HasSubstr("AllocateUniformly: b: shape [0, 4], expected 1 to 1048576 rows and columns"),
                     HasSubstr("c: shape [4, 1099511627776]")));
  EXPECT_ERROR(AllocateUniformly(EqualLayers(1, 4, 4), {.min = 0.8, .max = 0.2}), ErrorKind::kInvalidInput,
               HasSubstr("AllocateUniformly: min is 0.8"));
}

}  // namespace
}  // namespace twofour::sparse
