#include "twofour/core/help_balance.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace twofour {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

TEST(HelpBalanceTest, AsksAtFirstAndWhileHelpIsWorthMoreThanTheWait) {
  HelpBalance balance;
  int64_t now = 0;
  for (int job = 0; job < 1000; ++job) {
    ASSERT_TRUE(balance.ShouldAsk(now));
    now += kMillisecond;
    balance.Book(now, {.helped = 500'000, .asking = 1000, .waited = 50'000});
  }
  EXPECT_FALSE(balance.IsWary(now));
}

TEST(HelpBalanceTest, WorksAloneAfterALossForAMultipleOfIt) {
  HelpBalance balance;
  balance.Book(100, {.waited = 3 * kMillisecond});
  const int64_t alone = HelpBalance::kPatience * 3 * kMillisecond;
  EXPECT_FALSE(balance.ShouldAsk(101));
  EXPECT_FALSE(balance.ShouldAsk(100 + alone - 1));
  EXPECT_TRUE(balance.ShouldAsk(100 + alone));
}

TEST(HelpBalanceTest, WorksAloneTwiceAsLongWhereANewTrialLosesSoon) {
  HelpBalance balance;
  int64_t now = 0, alone = 16 * kMillisecond;
  for (int trial = 0; trial < 12; ++trial) {
    balance.Book(now, {.waited = kMillisecond});
    ASSERT_FALSE(balance.ShouldAsk(now + alone - 1)) << trial;
    now += alone;
    ASSERT_TRUE(balance.ShouldAsk(now)) << trial;
    alone = std::min(2 * alone, HelpBalance::kMostAlone);
    now += kMillisecond;
  }
}

TEST(HelpBalanceTest, ForgetsEarlierLossesWhenHelpHasPaidForAsLong) {
  HelpBalance balance;
  balance.Book(0, {.waited = kMillisecond});
  balance.Book(16 * kMillisecond, {.waited = kMillisecond});
  const int64_t second = 16 * kMillisecond + 32 * kMillisecond, third = second + 32 * kMillisecond;
  balance.Book(third, {.waited = kMillisecond});
  EXPECT_TRUE(balance.ShouldAsk(third + 16 * kMillisecond));
}

/// If other processes are busy, a helper may only get a part of the time that its caller would have had.
TEST(HelpBalanceTest, HelpIsWorthNothingWhereTheCallerIsPutAsideForAsLong) {
  HelpBalance balance;
  int64_t now = 0;
  for (; balance.ShouldAsk(now) && now < 1000 * kMillisecond; now += kMillisecond) {
    balance.Book(now, {.helped = 300'000, .asking = 1000, .aside = 350'000, .waited = 20'000});
  }
  EXPECT_LT(now, 100 * kMillisecond);
}

TEST(HelpBalanceTest, SmallLossesAreBorneUntilTheyAddUp) {
  HelpBalance balance;
  int jobs = 0;
  for (; balance.ShouldAsk(jobs); ++jobs) balance.Book(jobs, {.asking = 5000});  // No helper ever comes.
  EXPECT_EQ(jobs, HelpBalance::kLeastLoss / 5000);
}

TEST(HelpBalanceTest, EarlierGainsPayForLittle) {
  HelpBalance balance;
  for (int job = 0; job < 1000; ++job) balance.Book(0, {.helped = 100 * kMillisecond});
  balance.Book(0, {.waited = HelpBalance::kMostCredit});
  EXPECT_TRUE(balance.ShouldAsk(1));
  balance.Book(0, {.waited = kMillisecond});
  EXPECT_FALSE(balance.ShouldAsk(1));
}

/// However long the waits are, the time lost on them stays a small share of the whole.
TEST(HelpBalanceTest, LossesStayASmallShareOfTheTime) {
  HelpBalance balance;
  int64_t now = 0, lost = 0;
  while (now < 60'000 * kMillisecond) {
    if (balance.ShouldAsk(now)) {
      now += 3 * kMillisecond;
      lost += 3 * kMillisecond;
      balance.Book(now, {.waited = 3 * kMillisecond});
    } else {
      now += kMillisecond / 10;
    }
  }
  EXPECT_LT(static_cast<double>(lost), 0.07 * static_cast<double>(now));
  EXPECT_GT(lost, 0);  // It keeps trying.
}

TEST(HelpBalanceTest, AStoppedProgramDoesNotWorkAloneForHours) {
  HelpBalance balance;
  balance.Book(0, {.aside = int64_t{3600} * 1000 * kMillisecond, .waited = int64_t{3600} * 1000 * kMillisecond});
  EXPECT_TRUE(balance.ShouldAsk(2 * HelpBalance::kPatience * HelpBalance::kMostWait));
}

TEST(HelpBalanceTest, IsWaryForAWhileAfterALongWait) {
  HelpBalance balance;
  balance.Book(0, {.helped = 10 * kMillisecond, .waited = HelpBalance::kLongWait});
  EXPECT_TRUE(balance.IsWary(1));
  EXPECT_FALSE(balance.IsWary(HelpBalance::kWaryFor));
}

}  // namespace
}  // namespace twofour
