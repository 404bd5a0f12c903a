#include "twofour/train/program/prune/missed_sparsity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/sparse/budget_mask.h"
#include "twofour/sparse/mask_of_pattern.h"

#include "tests/sparse/patterns.h"

namespace twofour::train {
namespace {

using test::PatternOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A linear whose weights are all equal, pruned to a pattern.
nn::PrunedLinear Pruned(const std::string& name, int64_t rows, int64_t cols, const std::string& pattern) {
  const Tensor scores = Tensor::Full({rows, cols}, 1.0f);
  nn::PrunedLinear linear{.name = name, .out_features = rows, .in_features = cols, .pattern = PatternOf(pattern)};
  linear.mask = sparse::FindMaskOf(scores, linear.pattern, name, sparse::VnmColumnChoice::kSums);
  linear.sparsity = 1 - static_cast<double>(linear.mask.CountKept()) / static_cast<double>(rows * cols);
  return linear;
}

TEST(MissedSparsityTest, TellsOfLinearsThatAreFarOff) {
  EXPECT_THAT(NotesOnMissedPatterns({Pruned("a", 32, 32, "block:64x64:0.4"), Pruned("b", 64, 64, "block:16x16:0.5"),
                                     Pruned("c", 32, 32, "block:64x64:0.6"), Pruned("d", 96, 64, "block:64x64:0.5"),
                                     Pruned("e", 2, 5, "2:4"), Pruned("f", 1, 3, "unstructured:0.5"),
                                     Pruned("g", 8, 8, "2:4")}),
              ElementsAre("a: block:64x64:0.4 drops 0 of its 1 blocks, 0.00 instead of 0.40",
                          "c: block:64x64:0.6 drops 1 of its 1 blocks, 1.00 instead of 0.60",
                          "d: block:64x64:0.5 drops 1 of its 2 blocks, 0.33 instead of 0.50",
                          "e: 2:4 drops 4 of its 10 weights, 0.40 instead of 0.50",
                          "f: unstructured:0.5 drops 2 of its 3 weights, 0.67 instead of 0.50"));
}

TEST(MissedSparsityTest, OfManyTellsTheFirst) {
  const std::vector<nn::PrunedLinear> linears(8, Pruned("a", 32, 32, "block:64x64:0.4"));
  const std::vector<std::string> notes = NotesOnMissedPatterns(linears);
  ASSERT_EQ(notes.size(), 6u);
  EXPECT_EQ(notes.back(), "so it is with 3 more linears");
}

TEST(MissedSparsityTest, ABudgetOfTheModelIsNoLinears) {
  nn::PrunedLinear linear = Pruned("a", 32, 32, "block:64x64:0.4");
  linear.pattern.scope = sparse::PruningScope::kModel;
  EXPECT_THAT(NotesOnMissedPatterns({linear}), IsEmpty());
}

TEST(MissedSparsityTest, TellsOfATargetThatIsMissed) {
  EXPECT_EQ(NoteOnMissedTarget(4, 0.25, 0.3), "the 4 linears together lose 0.25 of their weights instead of 0.30");
  EXPECT_EQ(NoteOnMissedTarget(4, 0.49, 0.5), "");
}

}  // namespace
}  // namespace twofour::train
