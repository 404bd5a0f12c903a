#include "twofour/train/pattern_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PatternTrial Trial(double speedup, double diversity) {
  return {.format = sparse::MaskFormat::TwoOfFour(), .speedup = speedup, .diversity = diversity};
}

TEST(PatternChoiceTest, TheFrontIsWhatNothingBeats) {
  EXPECT_THAT(ParetoFront({Trial(1, 5), Trial(2, 4), Trial(2, 3), Trial(3, 3), Trial(2.5, 1), Trial(4, 1)}),
              ElementsAre(0, 1, 3, 5));
  EXPECT_THAT(ParetoFront({Trial(2, 2), Trial(2, 2)}), ElementsAre(0, 1));  // Equals do not beat each other.
  EXPECT_THAT(ParetoFront({}), IsEmpty());
}

TEST(PatternChoiceTest, TakesTheMostDiverseThatIsFastEnough) {
  const std::vector<PatternTrial> trials = {Trial(1.5, 5), Trial(2.5, 3), Trial(2.1, 4), Trial(2, 4)};
  EXPECT_EQ(ChoosePattern(trials, 1), 0u);
  EXPECT_EQ(ChoosePattern(trials, 1.6), 2u);  // Of two that are equally diverse, the faster one.
  EXPECT_EQ(ChoosePattern(trials, 2.5), 1u);
  EXPECT_EQ(ChoosePattern(trials, 2.6), std::nullopt);
  EXPECT_EQ(ChoosePattern({}, 1), std::nullopt);
}

TEST(PatternChoiceTest, ATimeThatIsNoNumberIsNeverChosen) {
  EXPECT_EQ(ChoosePattern({Trial(std::nan(""), 9)}, 1), std::nullopt);
}

}  // namespace
}  // namespace twofour::train
