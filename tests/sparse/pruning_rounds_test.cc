#include "twofour/sparse/pruning_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/error.h"

#include "tests/sparse/patterns.h"

namespace twofour::sparse {
namespace {

using test::PatternOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<std::string> Rounds(const std::string& pattern, int64_t rounds) {
  std::vector<std::string> found;
  for (int64_t round = 0; round < rounds; ++round) {
    found.push_back(PatternOfRound(PatternOf(pattern), round, rounds).ToString());
  }
  return found;
}

TEST(PruningRoundsTest, EndWithThePatternItself) {
  // 1 - (3/4)^3 = 37/64 of the budget, 1 - (1/2)^3 = 7/8, 1 - (1/4)^3 = 63/64.
  EXPECT_THAT(Rounds("unstructured:0.5", 4), ElementsAre("unstructured:0.2890625", "unstructured:0.4375",
                                                         "unstructured:0.4921875", "unstructured:0.5"));
  EXPECT_THAT(Rounds("block:2x8:0.5:model", 2), ElementsAre("block:2x8:0.4375:model", "block:2x8:0.5:model"));
  EXPECT_THAT(Rounds("1:4", 3), ElementsAre("3:4", "2:4", "1:4"));
  EXPECT_THAT(Rounds("4:8", 3), ElementsAre("6:8", "5:8", "4:8"));
  EXPECT_THAT(Rounds("2:4", 1), ElementsAre("2:4"));
  EXPECT_THAT(Rounds("transposable:2:4", 1), ElementsAre("transposable:2:4"));
}

TEST(PruningRoundsTest, MoreRoundsThanAPatternHasStepsAreAnError) {
  EXPECT_THAT([] { PatternOfRound(PatternOf("2:4"), 0, 3); }, ThrowsMessage<Error>(HasSubstr("at most 2 rounds")));
  EXPECT_THAT([] { PatternOfRound(PatternOf("64:2:8"), 0, 2); }, ThrowsMessage<Error>(HasSubstr("at most 1 rounds")));
  EXPECT_THAT([] { PatternOfRound(PatternOf("2:4"), 2, 2); }, ThrowsMessage<Error>(HasSubstr("round 2 of 2")));
}

}  // namespace
}  // namespace twofour::sparse
