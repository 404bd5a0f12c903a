#include "twofour/train/cli/startup_table.h"

#include <gtest/gtest.h>

namespace twofour::train {
namespace {

constexpr bool kAutomatic = true;

TEST(DescribeThreadsTest, SaysNothingMoreWhereAllProcessorsAreUsed) {
  EXPECT_EQ(DescribeThreads(8, kAutomatic, {.usable = 8, .count = 8, .machine = 8}), "8");
  EXPECT_EQ(DescribeThreads(4, !kAutomatic, {.usable = 8, .count = 8, .machine = 8}), "4");
  EXPECT_EQ(DescribeThreads(8, kAutomatic, {.usable = 8, .count = 8, .quota = 20, .machine = 8}), "8");
}

TEST(DescribeThreadsTest, SaysWhatLimitsThem) {
  EXPECT_EQ(DescribeThreads(2, kAutomatic, {.usable = 64, .count = 2, .quota = 1.5, .machine = 64}),
            "2 (CPU quota of this container is 1.5; 64 processors)");
  EXPECT_EQ(DescribeThreads(3, kAutomatic, {.usable = 3, .count = 3, .machine = 64}),
            "3 (CPU affinity of this process; 64 processors)");
  EXPECT_EQ(DescribeThreads(2, kAutomatic, {.usable = 3, .count = 2, .quota = 2, .machine = 64}),
            "2 (CPU quota of this container is 2; 64 processors)");
}

TEST(DescribeThreadsTest, SaysWhereSomebodyAsksForMoreThanThereIs) {
  EXPECT_EQ(DescribeThreads(8, !kAutomatic, {.usable = 2, .count = 2, .machine = 2}),
            "8 (no more than 2 run at once, one for each processor)");
  EXPECT_EQ(DescribeThreads(8, !kAutomatic, {.usable = 64, .count = 2, .quota = 2, .machine = 64}),
            "8 (more than useful: CPU quota of this container is 2; 64 processors)");
}

}  // namespace
}  // namespace twofour::train
