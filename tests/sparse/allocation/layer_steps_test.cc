#include "twofour/sparse/allocation/layer_steps.h"

#include <gtest/gtest.h>

#include <string>

#include "twofour/sparse/mask_of_pattern.h"

#include "tests/sparse/patterns.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::PatternOf;
using test::RandomAwayFromZero;

/// Masks of the patterns drop what the steps say.
TEST(LayerStepsTest, CountsWhatMasksDrop) {
  for (const char* const text : {"unstructured:0.5", "unstructured:0.5:row", "block:2x3:0.5", "2:4", "3:7", "5:32"}) {
    for (const Shape& shape : {Shape{4, 12}, Shape{6, 9}, Shape{2, 30}, Shape{8, 3}, Shape{2, 66}}) {
      const PruningPattern pattern = PatternOf(text);
      // Which blocks go, smaller ones or others, is not known here.
      if (pattern.format.kind == MaskFormat::Kind::kBlocks && (shape[1] % 3 != 0 || shape[0] % 2 != 0)) continue;
      const LayerSteps steps({.name = "fc", .rows = shape[0], .cols = shape[1]}, pattern);
      const Tensor scores = RandomAwayFromZero(shape, {.seed = 1}).To(DType::kF32);
      EXPECT_FALSE(steps.PatternAt(0));
      EXPECT_EQ(steps.Dropped(int64_t{0}), 0);
      for (int64_t at = 1; at <= steps.most(); ++at) {
        SCOPED_TRACE(std::string(text) + " " + ToString(shape) + " " + std::to_string(at));
        const Mask mask = FindMaskOf(scores, *steps.PatternAt(at));
        EXPECT_EQ(steps.Dropped(at), static_cast<double>(scores.numel() - mask.CountKept()));
        EXPECT_EQ(steps.Dropped(static_cast<double>(at)), steps.Dropped(at));
        EXPECT_NEAR(steps.Dropped(static_cast<double>(at) - 0.25),
                    0.75 * steps.Dropped(at) + 0.25 * steps.Dropped(at - 1), 1e-9);
        EXPECT_DOUBLE_EQ(steps.PatternAt(at)->Sparsity(), steps.Sparsity(static_cast<double>(at)));
      }
    }
  }
}

TEST(LayerStepsTest, NeverDropsAWholeLayer) {
  const LayerShape shape{.name = "fc", .rows = 6, .cols = 10};
  const auto most = [&](const char* text) { return LayerSteps(shape, PatternOf(text)).most(); };
  EXPECT_EQ(most("unstructured:0.5"), 59);
  EXPECT_EQ(most("unstructured:0.5:row"), 9);
  EXPECT_EQ(most("block:4x4:0.5"), 5);
  EXPECT_EQ(most("block:16x16:0.5"), 0);
  EXPECT_EQ(most("2:4"), 3);
  EXPECT_EQ(most("transposable:2:4"), 1);
}

TEST(LayerStepsTest, BlocksCountAsManyEntriesAsTheyHaveOnAverage) {
  const LayerSteps steps({.name = "fc", .rows = 5, .cols = 10}, PatternOf("block:4x4:0.5"));
  EXPECT_NEAR(steps.Dropped(int64_t{3}), 25, 1e-9);  // 3 of 6.
}

TEST(LayerStepsTest, APatternOfOneSparsityIsOneStep) {
  const LayerSteps steps({.name = "fc", .rows = 8, .cols = 16}, PatternOf("8:2:16"));
  EXPECT_EQ(steps.PatternAt(1), PatternOf("8:2:16"));
  EXPECT_EQ(steps.Sparsity(1), 0.875);
  EXPECT_EQ(steps.Dropped(int64_t{1}), 112);
  EXPECT_EQ(steps.LargestStep(), 112);
}

TEST(LayerStepsTest, TheLargestStepOfGroupsIsTheLast) {
  const auto largest = [](int64_t cols) {
    return LayerSteps({.name = "fc", .rows = 6, .cols = cols}, PatternOf("2:4")).LargestStep();
  };
  EXPECT_EQ(largest(8), 12);
  EXPECT_EQ(largest(9), 12);
  EXPECT_EQ(largest(10), 18);
  EXPECT_EQ(largest(2), 6);
  EXPECT_EQ(largest(1), 0);  // One of each four is always kept.
  EXPECT_EQ(LayerSteps({.name = "fc", .rows = 6, .cols = 10}, PatternOf("block:8x16:0.5")).LargestStep(), 0);
}

void ExpectRange(const StepRange& range, int64_t lowest, int64_t low, int64_t high, int64_t highest) {
  EXPECT_EQ(range.lowest(), lowest);
  EXPECT_EQ(range.low(), low);
  EXPECT_EQ(range.high(), high);
  EXPECT_EQ(range.highest(), highest);
}

TEST(LayerStepsTest, BoundsOfABudgetMayBePassedByAPartOfAStep) {
  const LayerSteps steps({.name = "fc", .rows = 1, .cols = 10}, PatternOf("unstructured:0.5"));
  ExpectRange(steps.Within(0.25, 0.78), 2, 3, 7, 8);
  ExpectRange(steps.Within(0.3, 0.7), 3, 3, 7, 7);
  ExpectRange(steps.Within(0.45, 0.45), 4, 4, 4, 5);
  ExpectRange(steps.Within(0, 1), 0, 0, 9, 9);
  ExpectRange(steps.Within(0.95, 1), 9, 9, 9, 9);
}

TEST(LayerStepsTest, BoundsOfGroupsAreWholeSteps) {
  const LayerSteps steps({.name = "fc", .rows = 1, .cols = 10}, PatternOf("2:4"));
  ExpectRange(steps.Within(0.2, 0.7), 1, 1, 2, 2);
  ExpectRange(steps.Within(0, 1), 0, 0, 3, 3);
  const StepRange none = steps.Within(0.3, 0.4);
  EXPECT_GT(none.from, none.to);
  const LayerSteps seventh({.name = "fc", .rows = 1, .cols = 10}, PatternOf("3:7"));
  ExpectRange(seventh.Within(0.285715, 0.714285), 2, 2, 5, 5);  // 2/7 and 5/7 with six digits, rounded inwards.
}

}  // namespace
}  // namespace twofour::sparse
