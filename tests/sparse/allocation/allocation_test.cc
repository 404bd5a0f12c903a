#include "twofour/sparse/allocation/allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"

#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"

namespace twofour::sparse {
namespace {

using test::PatternOf;
using ::testing::HasSubstr;

void ExpectRefused(const AllocationOptions& options, const std::string& message) {
  EXPECT_ERROR(FaultsOf(options, "Allocate: ").Throw(), ErrorKind::kInvalidInput, HasSubstr(message));
}

TEST(AllocationOptionsTest, TakesATargetThatThePatternCanHave) {
  for (const AllocationOptions& options :
       {AllocationOptions{.pattern = PatternOf("unstructured:0.6")},
        AllocationOptions{.pattern = PatternOf("unstructured:0.6:row"), .target = 0.6, .min = 0.6, .max = 0.6},
        AllocationOptions{.pattern = PatternOf("block:4x4:0"), .min = 0, .max = 0},
        AllocationOptions{.pattern = PatternOf("2:4"), .target = 0.61, .min = 0.25, .max = 0.75},
        AllocationOptions{.pattern = PatternOf("3:7"), .target = 0.5, .min = 0.571429, .max = 0.571429},
        AllocationOptions{.pattern = PatternOf("transposable:1:4"), .target = 0.75},
        AllocationOptions{.pattern = PatternOf("rows:64:2:12"), .target = 0.833333, .max = 0.833333}}) {
    EXPECT_EQ(FaultsOf(options, "").count(), 0u) << options.pattern.ToString();
  }
  EXPECT_EQ(AllocationOptions{.pattern = PatternOf("1:4")}.Target(), 0.75);
  EXPECT_EQ((AllocationOptions{.pattern = PatternOf("1:4"), .target = 0.6}.Target()), 0.6);
}

TEST(AllocationOptionsTest, RefusesBoundsThatLetNothingThrough) {
  ExpectRefused({.pattern = PatternOf("2:4"), .min = 0.8, .max = 0.5},
                "Allocate: min is 0.8, expected at most max, which is 0.5");
  ExpectRefused({.pattern = PatternOf("2:4"), .min = -0.1}, "min is -0.1, expected 0 to 1");
  ExpectRefused({.pattern = PatternOf("2:4"), .max = 1.5}, "max is 1.5, expected 0 to 1");
  ExpectRefused({.pattern = PatternOf("2:4"), .min = 0.3, .max = 0.4},
                "max is 0.4, expected a sparsity of n:4 at or above min, which is 0.3");
  ExpectRefused({.pattern = PatternOf("2:4"), .min = 0.8},
                "max is 1, expected a sparsity of n:4 at or above min, which is 0.8");
  ExpectRefused({.pattern = PatternOf("64:2:8"), .min = 0.8},
                "max is 1, expected a sparsity of 64:2:8 at or above min, which is 0.8");
}

TEST(AllocationOptionsTest, RefusesTargetsThatThePatternCannotHave) {
  ExpectRefused({.pattern = PatternOf("2:4"), .target = 1.0}, "target is 1, expected a number in [0, 1)");
  ExpectRefused(
      {.pattern = PatternOf("unstructured:0.5"), .target = 0.6},
      "target is 0.6, expected 0.5, the sparsity of unstructured:0.5: only n:m along rows can be given another");
  ExpectRefused({.pattern = PatternOf("transposable:2:4"), .target = 0.6},
                "target is 0.6, expected 0.5, the sparsity of transposable:2:4");
  ExpectRefused({.pattern = PatternOf("64:2:8"), .target = 0.5},
                "target is 0.5, expected 0.75, the sparsity of 64:2:8");
}

TEST(AllocationOptionsTest, RefusesABudgetOfTheModel) {
  ExpectRefused({.pattern = PatternOf("unstructured:0.5:model")},
                "pattern is unstructured:0.5:model, expected a scope within one layer");
  ExpectRefused({.pattern = {.format = MaskFormat::Dense()}}, "drops something");
}

}  // namespace
}  // namespace twofour::sparse
