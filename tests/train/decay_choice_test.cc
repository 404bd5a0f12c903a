#include "twofour/train/decay_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

TEST(DecayChoiceTest, TakesTheTrialNearestToTheMiddleOfTheRange) {
  // Ratios 1.2, 0.94, 0.8, 0.65, 0.3: the middle of 0.60 to 0.95 is 0.775.
  const auto chosen = ChooseDecay(0.01, {{1, 0.012}, {2, 0.0094}, {3, 0.008}, {4, 0.0065}, {5, 0.003}});
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(chosen->lambda, 3);
}

TEST(DecayChoiceTest, NoneWhereAllAreOutside) {
  EXPECT_FALSE(ChooseDecay(0.01, {{1, 0.0096}, {2, 0.0059}}).has_value());
  EXPECT_FALSE(ChooseDecay(0.01, {}).has_value());
}

TEST(DecayChoiceTest, OfEqualsTheSmallerLambda) {
  EXPECT_EQ(ChooseDecay(1, {{5, 0.7}, {2, 0.7}, {3, 0.7}})->lambda, 2);
}

TEST(DecayChoiceTest, MasksThatNeverFlipSayNothing) {
  const std::vector<DecayTrial> trials = {{1, 0.5}};
  EXPECT_ERROR(ChooseDecay(0, trials), ErrorKind::kInvalidInput, ::testing::HasSubstr("flip rate is 0"));
}

}  // namespace
}  // namespace twofour::train
