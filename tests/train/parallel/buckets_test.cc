#include "twofour/train/parallel/buckets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace twofour::train {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(BucketsTest, ABucketEndsWithTheItemThatFillsIt) {
  EXPECT_THAT(BucketsOf({0, 1, 2, 3, 4}, {4, 5, 10, 1, 1}, 10), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4)));
  EXPECT_THAT(BucketsOf({0, 1, 2}, {4, 6, 1}, 10), ElementsAre(ElementsAre(0, 1), ElementsAre(2)));
}

TEST(BucketsTest, ItemsKeepTheirOrder) {
  EXPECT_THAT(BucketsOf({2, 0}, {7, 100, 3}, 5), ElementsAre(ElementsAre(2, 0)));
  EXPECT_THAT(BucketsOf({}, {7}, 5), IsEmpty());
}

}  // namespace
}  // namespace twofour::train
