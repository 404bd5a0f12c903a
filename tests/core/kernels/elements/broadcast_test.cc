#include "twofour/core/kernels/elements/broadcast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What stretched operands give is tested with the ops, in tests/core/ops/broadcast_test.cc.
namespace twofour::kernels {
namespace {

using ::testing::ElementsAre;

TEST(PlanBroadcastTest, JoinsDimensionsThatAreWalkedAlike) {
  const Broadcast equal = PlanBroadcast({2, 3, 4}, {2, 3, 4}, {2, 3, 4});
  EXPECT_THAT(equal.sizes, ElementsAre(24));
  EXPECT_THAT(equal.a_strides, ElementsAre(1));
  EXPECT_THAT(equal.b_strides, ElementsAre(1));

  const Broadcast number = PlanBroadcast({2, 3, 4}, {2, 3, 4}, {});
  EXPECT_THAT(number.sizes, ElementsAre(24));
  EXPECT_THAT(number.a_strides, ElementsAre(1));
  EXPECT_THAT(number.b_strides, ElementsAre(0));

  const Broadcast first = PlanBroadcast({2, 3, 4}, {2, 3, 4}, {2, 1, 1});
  EXPECT_THAT(first.sizes, ElementsAre(2, 12));
  EXPECT_THAT(first.a_strides, ElementsAre(12, 1));
  EXPECT_THAT(first.b_strides, ElementsAre(1, 0));

  const Broadcast rows = PlanBroadcast({2, 3, 4}, {4}, {2, 3, 4});
  EXPECT_THAT(rows.sizes, ElementsAre(6, 4));
  EXPECT_THAT(rows.a_strides, ElementsAre(0, 1));
  EXPECT_THAT(rows.b_strides, ElementsAre(4, 1));
}

TEST(PlanBroadcastTest, LeavesOutDimensionsOfSizeOne) {
  const Broadcast plan = PlanBroadcast({1, 3, 1, 2}, {3, 1, 2}, {1, 1, 1, 2});
  EXPECT_THAT(plan.sizes, ElementsAre(3, 2));
  EXPECT_THAT(plan.a_strides, ElementsAre(2, 1));
  EXPECT_THAT(plan.b_strides, ElementsAre(0, 1));
  EXPECT_THAT(PlanBroadcast({1, 1}, {}, {1, 1}).sizes, ElementsAre(1));
}

}  // namespace
}  // namespace twofour::kernels
