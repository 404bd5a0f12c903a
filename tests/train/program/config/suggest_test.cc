#include "twofour/train/program/config/suggest.h"

#include <gtest/gtest.h>

namespace twofour::train {
namespace {

TEST(EditDistanceTest, CountsSingleEdits) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("lr", ""), 2);
  EXPECT_EQ(EditDistance("steps", "steps"), 0);
  EXPECT_EQ(EditDistance("step", "steps"), 1);
  EXPECT_EQ(EditDistance("stesp", "steps"), 1);  // Swapping two neighbours counts once.
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(DidYouMeanTest, NamesTheNearestCandidate) {
  const std::vector<std::string> names{"steps", "batch_size", "accumulate_steps"};
  EXPECT_EQ(DidYouMean("batchsize", names), " (did you mean 'batch_size'?)");
  EXPECT_EQ(DidYouMean("step", names), " (did you mean 'steps'?)");
}

TEST(DidYouMeanTest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(DidYouMean("zebra_crossing", std::vector<std::string>{"lr", "seed"}), "");
  EXPECT_EQ(DidYouMean(std::string(100000, 'x'), std::vector<std::string>{"lr"}), "");
  EXPECT_EQ(DidYouMean("lr", {}), "");
}

}  // namespace
}  // namespace twofour::train
