#include "twofour/train/median.h"

#include <gtest/gtest.h>

namespace twofour::train {
namespace {

TEST(MedianTest, IsTheMiddleValue) {
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({9, 1, 4}), 4);
  EXPECT_EQ(Median({9, 1, 4, 5}), 5);
}

}  // namespace
}  // namespace twofour::train
